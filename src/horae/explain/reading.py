"""A run's log as explanations ask for it: which clustering, whose visits, which rounds, which names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

from horae.errors import RunError, did_you_mean, one_line, require
from horae.explain.canvas import paint
from horae.report.figures.curves import MARKERS
from horae.report.figures.over_time import TIME
from horae.report.figures.verdicts import colour_of, marker_of
from horae.report.loading import Run
from horae.report.log import BROKEN
from horae.report.reading import Arm, Event
from horae.report.tables import plural
from horae.types import Path


def clustering_of(arm: Arm) -> str:
    """The clustering's name, also of a log that breaks off."""
    return arm.clustering or str(arm.last("run").get("components", {}).get("clustering", ""))


def path_of(name: str) -> Path:
    """A cohort's path from its name. Errors: RunError for what no run calls a cohort.

    >>> path_of("0"), path_of("0.1.2")
    ((), (1, 2))
    """
    root, *steps = name.split(".")
    plain = all(step.isascii() and step.isdigit() and len(step) <= 4 and str(int(step)) == step for step in steps)
    if root != "0" or not plain:
        raise RunError(f"the log names a cohort {one_line(name, 60)!r}; {BROKEN}")
    return tuple(map(int, steps))


def check_cohort(arm: Arm, name: str) -> None:
    """Refuse a cohort that the log does not know."""
    names = arm.names
    require(name in names, "--cohort", "be a cohort of this run", name, did_you_mean(name, names))


def check_client(arm: Arm, client: int) -> None:
    """Refuse a client that the run did not have."""
    n = arm.last("run").get("clients", 0)
    require(0 <= client < n, "--client", f"be an id of this run, 0 to {n - 1}", client)


def visits_of(arm: Arm, client: int) -> list[Event]:
    """The rounds that a client took part in, in the order in which they ended."""
    return [event for event in arm.of("round") if client in event["clients"]]


def column(event: Event, name: str, client: int) -> float | int | str | None:
    """What a round says of one participant; None where it says nothing, or an earlier version wrote the log."""
    value: float | int | str | None = event[name][event["clients"].index(client)] if name in event else None
    return value


def explorers(event: Event) -> list[int] | None:
    """The participants that came as explorers; None where an earlier version wrote only how many."""
    if "explorers" in event:
        return list(event["explorers"])
    return None if event.get("exploring") else []


def born(arm: Arm, name: str) -> Event | None:
    """The split that made a cohort; None for the root, and where cohorts were there from the start."""
    return next((split for split in arm.splits if name in split.get("children", ())), None)


def ended(arm: Arm, name: str) -> Event | None:
    """The split that ended a cohort; None for a leaf."""
    return next((split for split in arm.splits if split["cohort"] == name), None)


def verdicts_after(arm: Arm, event: Event) -> list[Event]:
    """What a cohort decided about itself after this round."""
    at = next(i for i, other in enumerate(arm.events) if other is event)
    following = takewhile(lambda other: other["event"] == "verdict", arm.events[at + 1 :])
    return [verdict for verdict in following if verdict["cohort"] == event["cohort"]]


def home_of(arm: Arm, client: int) -> str | None:
    """The leaf that a client was at home in at the end."""
    last = arm.last("clients")
    return last["cohorts"][last["home"][last["ids"].index(client)]] if client in last.get("ids", ()) else None


def leaves_of(arm: Arm) -> list[str]:
    """The cohorts that have no children: also of a log that breaks off between a split and the next score."""
    parents = {name.rpartition(".")[0] for name in arm.names}
    return arm.leaves if arm.finished else [name for name in arm.names if name not in parents]


def groups_of(arm: Arm) -> dict[int, int]:
    """Each client's planted group, where one is known."""
    last = arm.last("clients")
    return {i: g for i, g in zip(last.get("ids", ()), last.get("group", ()), strict=True) if g >= 0}


def groups_in_words(groups: dict[int, int], clients: Sequence[int]) -> str:
    """How many of some clients are of which planted group; empty where no group is known."""
    counts = Counter(groups[i] for i in clients if i in groups)
    return ", ".join(f"{n} of group {group}" for group, n in sorted(counts.items()))


def at_home(arm: Arm, name: str) -> list[int] | None:
    """Who was at home in a cohort at the end; None before there is an end."""
    last = arm.last("clients")
    if not last:
        return None
    at = last["cohorts"].index(name) if name in last["cohorts"] else -1
    return [i for i, home in zip(last["ids"], last["home"], strict=True) if home == at]


def standing(run: Run) -> list[str]:
    """A line for a log that breaks off."""
    if run.main.finished:
        return []
    rounds = plural(len(run.main.of("round")), "round")
    return [f"The run is not finished: this is as far as it went, {rounds}. Go on with horae run --resume."]


def colour(arm: Arm, cohort: str) -> str:
    """A cohort's colour in pictures, the same as in the report."""
    return paint(colour_of(arm, cohort))


def sign(arm: Arm, cohort: str) -> str:
    """A cohort's marker, and its name behind it, as written beside a line."""
    return f"{MARKERS[marker_of(arm, cohort)]} {cohort}"


def clock(events: Sequence[Event]) -> tuple[float, str]:
    """What to divide simulated seconds by, and what to call the axis."""
    return TIME.unit(max((event.get("at_s", 0.0) for event in events), default=0.0))
