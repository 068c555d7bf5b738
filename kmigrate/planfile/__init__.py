"""The plan file: YAML in, a checked Migration out, every mistake with its line. Knows no step."""

from kmigrate.planfile.files import authority
from kmigrate.planfile.load import load
from kmigrate.planfile.published import plan_schema

__all__ = ["authority", "load", "plan_schema"]
