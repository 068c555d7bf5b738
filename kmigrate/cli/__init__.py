"""The command line: parse, wire, call, draw."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is still being loaded ends it with a word, too."""
    try:
        from kmigrate.cli.app import run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("kmigrate: interrupted before anything was begun\n")
        sys.exit(130)
