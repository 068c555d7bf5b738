"""The plan file: YAML in, a checked Migration out, every mistake with its line. Knows no step."""

from kmigrate.planfile.load import load

__all__ = ["load"]
