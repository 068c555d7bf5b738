"""The command line: parse, wire, call, draw."""


def main() -> None:
    """Run the command line."""
    from kmigrate.cli.app import run

    run()
