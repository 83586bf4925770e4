"""The page of all commands: usage, options and examples, from the application itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from docstrings import as_markdown


def page() -> str:
    """Every command, groups included."""
    import typer.main

    import horae.cli

    root = typer.main.get_command(horae.cli.app)
    words = "What `horae COMMAND --help` says. Exit codes and habits of all commands: [the command line](../cli.md)."
    return "\n".join([f"# Commands\n\n{words}\n", *(told(name, command) for name, command in leaves(root))])


def leaves(group: Any, prefix: tuple[str, ...] = ("horae",)) -> Iterator[tuple[str, Any]]:
    """Every command that is no group, by the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*prefix, name))
        else:
            yield " ".join((*prefix, name)), command


def told(name: str, command: Any) -> str:
    """One command."""
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(context))
    rows = [row(item, context) for item in command.params if item.name != "help"]
    table = "\n".join(("| | |", "|---|---|", *rows)) if rows else ""
    lines = [line.strip() for line in (command.epilog or "").replace("\b", "").split("\n") if "horae " in line]
    example = "```bash\n" + "\n".join(lines) + "\n```" if lines else ""
    about = as_markdown(inspect.cleandoc(command.help or ""))
    return f"## {name}\n\n{about}\n\n```text\n{name} {usage}\n```\n\n{table}\n\n{example}\n"


def row(item: Any, context: Any) -> str:
    """One option or argument."""
    name, words = item.get_help_record(context) or (item.name, "")
    return f"| `{_flat(name)}` | {as_markdown(_flat(words))} |"


def _flat(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|")
