"""Where two runs part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from horae.cli.options import Json, printed
from horae.errors import brief, one_line
from horae.report.difference import BASELINE, LOG, NOTHING, Comparison, Difference, difference

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, or an events.jsonl.", show_default=False)]


def diff(one: Run, other: Run, as_json: Json = False) -> None:
    """Name the first event in which two runs differ, and the field. Exit code 0 if they are the same, else 1."""
    found = difference(one, other)
    if not printed(as_table(found), as_json):
        for line in in_words(found, one_line(one), one_line(other)):
            print(line)
    if not found.same:
        raise typer.Exit(1)


def as_table(found: Comparison) -> dict[str, Any]:
    """What `--json` prints."""
    table: dict[str, Any] = {"same": found.same, "events": sum(found.events.values())}
    if found.first:
        where = {"file": found.first.file, "event": found.first.event, "what": found.first.what}
        sides = (("one", found.first.one), ("other", found.first.other))
        table |= {"where": where | {"field": found.first.path}}
        table |= {side: value for side, value in sides if value is not NOTHING}
    return table | {"experiment": {key: [mine, theirs] for key, mine, theirs in found.experiment}}


def in_words(found: Comparison, one: str, other: str) -> list[str]:
    """The lines for people. one, other: what the runs were called."""
    events, baseline = found.events.get(LOG, 0), found.events.get(f"{BASELINE}/{LOG}")
    beside = "" if baseline is None else f", and {baseline:,} of the baseline"
    lines = [f"the same: {events:,} events{beside}" if found.first is None else _parting(found.first, one, other)]
    for key, mine, theirs in found.experiment:
        lines.append(f"experiment: {one_line(key, 80)}: {_value(mine)} | {_value(theirs)}")
    return lines


def _parting(first: Difference, one: str, other: str) -> str:
    arm = "baseline: " if first.file.startswith(BASELINE) else ""
    if first.path:
        where = f"event {first.event} ({first.what})" if first.event else first.file
        return f"{arm}{one_line(where)} differs in {one_line(first.path)}: {_value(first.one)} | {_value(first.other)}"
    short, long = (one, other) if first.one is NOTHING else (other, one)
    if not first.event:
        return f"{first.file}: only {long} has one"
    if first.event == 1:
        return f"{arm}{short} has no events; {long} begins with {one_line(first.what)}"
    return f"{arm}{short} ends after event {first.event - 1}; {long} goes on with {one_line(first.what)}"


def _value(value: Any) -> str:
    return "nothing" if value is None or value is NOTHING else brief(value, 120)
