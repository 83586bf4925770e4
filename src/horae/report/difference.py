"""The first event in which two runs differ, and its first field that does: logs are read line by line, side by side."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from horae.errors import RunError, one_line
from horae.report.log import Event, event_of, raw_lines, read_summary, read_text, unreadable
from horae.settings import differences

LOG, BASELINE, SUMMARY, EXPERIMENT = "events.jsonl", "baseline", "summary.json", "experiment.toml"


class Nothing:
    """Stands for a value that one of the two does not have."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = Nothing()


@dataclass(frozen=True)
class Difference:
    """Where two runs part. file: within the run directories. event: its number, 0 where it is not an event; what: the
    event in words. path: of the field, such as `clients[3]`; empty where one log ends. one, other: the two values.
    """

    file: str
    event: int
    what: str
    path: str
    one: Any
    other: Any


@dataclass(frozen=True)
class Comparison:
    """first: where they part, None if they are the same. events: how many were the same, by log. experiment: the fields
    of experiment.toml that differ, with both values (None where there is none).
    """

    first: Difference | None
    events: dict[str, int] = field(default_factory=dict)
    experiment: list[tuple[str, Any, Any]] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """True where no event and no number of the summary differs."""
        return self.first is None


def difference(one: Path, other: Path) -> Comparison:
    """Compare two run directories, or two logs: the run's events, then the baseline's, then the summary.

    Real time (fields with `wall` in their name) and where a run lies are left out. Errors: RunError for what is
    missing or broken, as far as it was read.
    """
    if not (_is_directory(one) and _is_directory(other)):
        one, other = (place / LOG if _is_directory(place) else place for place in (one, other))
        first, number = _first_event(one, other, LOG)
        return Comparison(first, {LOG: number})
    experiment = differences(_experiment(one), _experiment(other))
    events: dict[str, int] = {}
    for place in (LOG, f"{BASELINE}/{LOG}"):
        if place == LOG or any((root / place).exists() for root in (one, other)):
            first, events[place] = _first_event(one / place, other / place, place)
            if first:
                return Comparison(first, events, experiment)
    return Comparison(_in_summaries(one, other), events, experiment)


def _first_event(one: Path, other: Path, place: str) -> tuple[Difference | None, int]:
    """The first difference of two logs, and how many events were the same."""
    logs = [_lines(file, optional=place != LOG) for file in (one, other)]
    number = 0
    for number, (mine, theirs) in enumerate(zip_longest(*logs), 1):
        if mine == theirs and mine is not None:
            event_of(one, number, mine)  # the same, but is it an event?
            continue
        ours = None if mine is None else event_of(one, number, mine)
        rival = None if theirs is None else event_of(other, number, theirs)
        if ours is None or rival is None:
            kinds = (event["event"] if event else NOTHING for event in (ours, rival))
            return Difference(place, number, describe(ours or rival or {}), "", *kinds), number - 1
        found = first_field(ours, rival)
        if found:
            return Difference(place, number, describe(ours), *found), number - 1
    return None, number


def first_field(one: Any, other: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """The first field in which two values of JSON differ, in the order of the first: its path and both values.

    >>> first_field({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]})
    ('a[1].b', 2, 3)
    >>> first_field({"a": 1, "run_wall_s": 2}, {"a": 1.0, "run_wall_s": 3, "b": 0})
    ('b', nothing, 0)
    """
    if type(one) is dict and type(other) is dict:
        keys = [key for key in dict.fromkeys([*one, *other]) if "wall" not in key]
        pairs = ((f"{path}.{key}".lstrip("."), one.get(key, NOTHING), other.get(key, NOTHING)) for key in keys)
    elif type(one) is list and type(other) is list:
        longest = zip_longest(one, other, fillvalue=NOTHING)
        pairs = ((f"{path}[{i}]", mine, theirs) for i, (mine, theirs) in enumerate(longest))
    else:
        return None if _equal(one, other) else (path, one, other)
    return next((found for name, mine, theirs in pairs if (found := first_field(mine, theirs, name))), None)


def describe(event: Event) -> str:
    """An event in words: what, where and when."""
    kind = event.get("event")
    if kind == "round":
        return f"round {event['number']} of cohort {event['cohort']}"
    if kind == "verdict":
        return f"the verdict of cohort {event['cohort']} after round {event['round']}"
    if kind == "score":
        return f"a score after {event['participations']:,} participations"
    return f"the {kind}"


def _equal(one: Any, other: Any) -> bool:
    """Numbers exactly, the sign of zero too; true is not 1, but 1.0 is."""
    if type(one) is float and type(other) is float:
        return repr(one) == repr(other)
    return bool(one == other) and (type(one) is bool) == (type(other) is bool)


def _in_summaries(one: Path, other: Path) -> Difference | None:
    files = [root / SUMMARY for root in (one, other)]
    there = [file.exists() for file in files]
    if there.count(True) == 1:
        return Difference(SUMMARY, 0, SUMMARY, "", *("there" if here else NOTHING for here in there))
    mine, theirs = (read_summary(file) for file in files)
    for summary in (mine, theirs):
        summary.pop("directory", None)  # earlier versions wrote it down
    found = first_field(mine, theirs)
    return Difference(SUMMARY, 0, SUMMARY, *found) if found else None


def _lines(file: Path, *, optional: bool) -> Iterator[bytes]:
    return iter(()) if optional and not file.exists() else raw_lines(file)


def _experiment(root: Path) -> dict[str, Any]:
    """The experiment of a run directory; empty where the file is missing."""
    file = root / EXPERIMENT
    if not file.exists():
        return {}
    try:
        return tomllib.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{one_line(file, 120)} is not TOML: {one_line(error, 80)}; was it changed by hand?") from None


def _is_directory(place: Path) -> bool:
    try:
        return place.is_dir()
    except OSError as error:
        raise unreadable(place, error) from None
