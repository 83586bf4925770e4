"""The `horae` command: everything heavy is imported inside, so that Ctrl-C while it loads is no traceback either."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from horae.cli import main as command

        command()
    except KeyboardInterrupt:
        sys.stderr.write("horae: interrupted; what was written stays in the run directory\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
