"""A run directory as the report sees it: each arm's events and summary, its tree of cohorts and its clients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.report import log

Event = dict[str, Any]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Node:
    """A cohort in the tree. split: the verdict that ended it. clients, accuracy: a leaf's at the end, else None."""

    name: str
    split: Event | None
    clients: int | None
    accuracy: float | None
    children: tuple[Node, ...]


@dataclass(frozen=True)
class Arm:
    """One training: what it wrote down."""

    events: list[Event]
    summary: dict[str, Any]

    def of(self, kind: str) -> list[Event]:
        """All events of a kind, in order."""
        return [event for event in self.events if event.get("event") == kind]

    def last(self, kind: str) -> Event:
        """The last event of a kind, or an empty one."""
        return next(iter(self.of(kind)[::-1]), {})

    @property
    def clustering(self) -> str:
        """The clustering's name."""
        return str(self.summary.get("clustering", ""))

    @property
    def title(self) -> str:
        """What to call this arm beside another one."""
        if self.clustering == "single":
            return "one global model"
        n = int(self.summary.get("cohorts") or 1)
        return "one cohort" if n == 1 else f"{n} cohorts"

    @cached_property
    def scores(self) -> list[Event]:
        """The scores that have an accuracy."""
        return [score for score in self.of("score") if score.get("accuracy") is not None]

    @cached_property
    def splits(self) -> list[Event]:
        """The verdicts that were splits."""
        return [verdict for verdict in self.of("verdict") if verdict["split"]]

    @cached_property
    def accuracies(self) -> dict[int, float]:
        """Each client's last accuracy, where it has one."""
        last = self.last("clients")
        return {i: a for i, a in zip(last.get("ids", ()), last.get("accuracy", ()), strict=True) if a is not None}

    @cached_property
    def visited(self) -> set[int]:
        """The clients that took part at least once."""
        last = self.last("clients")
        return {i for i, n in zip(last.get("ids", ()), last.get("visits", ()), strict=True) if n}

    @cached_property
    def ranked(self) -> Doubles:
        """The last accuracies, from worst to best."""
        return np.sort(np.array(list(self.accuracies.values()), np.float64))

    @cached_property
    def names(self) -> list[str]:
        """Every cohort there ever was, parents first."""
        said = {name for event in self.events for name in _mentioned(event)}
        words = [name.split(".") for name in said]
        return sorted({".".join(parts[: i + 1]) for parts in words for i in range(len(parts))}, key=_natural)

    @cached_property
    def leaves(self) -> list[str]:
        """The cohorts at the end, or when the log broke off."""
        return list((self.last("clients") or self.last("score")).get("cohorts", ()))

    @cached_property
    def ledger(self) -> dict[str, dict[str, float]]:
        """What everything cost, by purpose; of a log that breaks off, all that its rounds booked, in one row."""
        if self.finished:
            return dict(self.last("end")["ledger"])
        rounds = self.of("round")
        booked = {key: sum(each.get(key, 0) for each in rounds) for key in ("nbytes_up", "nbytes_down", "flops")}
        return {"so far": {"participations": sum(len(each["clients"]) for each in rounds), **booked}}

    @property
    def finished(self) -> bool:
        """False for a log that breaks off."""
        return bool(self.of("end"))

    @cached_property
    def whereabouts(self) -> list[Event]:
        """The scores that say who is at home where."""
        return [score for score in self.of("score") if score.get("cohorts")]

    @cached_property
    def homes(self) -> list[str]:
        """Every cohort somebody was ever at home in, in the order of the tree."""
        return sorted({name for score in self.whereabouts for name in score["cohorts"]}, key=_natural)

    @cached_property
    def groups(self) -> list[str]:
        """The planted groups in the order of a score's counts; empty where nothing is planted."""
        counts: list[int] = next(iter((self.last("score").get("groups") or {}).values()), [])
        planted = self.last("run").get("population", {}).get("groups") or {}
        names = sorted((name for name in planted if name != "-1"), key=_natural)
        return names if len(names) == len(counts) else [str(i) for i in range(len(counts))]

    def forest(self) -> list[Node]:
        """The tree of cohorts; as a list, since a log may have no root."""
        return [self._node(name) for name in self.names if "." not in name]

    def _node(self, name: str) -> Node:
        last, sizes = self.last("clients"), self.last("score").get("cohorts", {})  # name: (clients, accuracy)
        split = next((verdict for verdict in self.splits if verdict["cohort"] == name), None)
        children = tuple(self._node(other) for other in self.names if other.rpartition(".")[0] == name)
        size, accuracy = sizes.get(name, (None, None))
        if last and name in self.leaves:
            size = last["home"].count(self.leaves.index(name))
        return Node(name, split, size, accuracy, children)


def read_arm(directory: Path) -> Arm:
    """An arm from its files, as far as it came: no summary is an empty one, and half a line at the end is left out.

    Errors: RunError for a missing or broken log.
    """
    return Arm(log.read_events(directory / "events.jsonl"), log.read_summary(directory / "summary.json"))


def read_text(file: Path) -> str:
    """A file's text. Errors: RunError if there is none."""
    return log.read_text(file)


def _mentioned(event: Event) -> list[str]:
    """The cohorts that an event names."""
    one = [event["cohort"]] if "cohort" in event else []
    return [*one, *event.get("cohorts", ()), *event.get("children", ())]


def _natural(name: str) -> list[tuple[int, str]]:
    """So that 0.10 comes after 0.9."""
    return [(len(part), part) for part in name.split(".")]
