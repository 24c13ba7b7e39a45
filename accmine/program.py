"""The program, from before its command line listens."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; an interrupt while it is loaded ends the program as any later one does."""
    try:
        from accmine.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    run()
