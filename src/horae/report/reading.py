"""A run directory as the report sees it: each arm's events and summary, its tree of cohorts and its clients."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.errors import RunError
from horae.report.recorder import read

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
        """The cohorts at the end."""
        return list(self.last("clients").get("cohorts", ()))

    def forest(self) -> list[Node]:
        """The tree of cohorts; as a list, since a log may have no root."""
        return [self._node(name) for name in self.names if "." not in name]

    def _node(self, name: str) -> Node:
        last, sizes = self.last("clients"), self.last("score").get("cohorts", {})
        split = next((verdict for verdict in self.splits if verdict["cohort"] == name), None)
        children = tuple(self._node(other) for other in self.names if other.rpartition(".")[0] == name)
        home = last.get("home", ()).count(self.leaves.index(name)) if name in self.leaves else None
        return Node(name, split, home, sizes.get(name, (0, None))[1], children)


def read_arm(directory: Path) -> Arm:
    """An arm from its files. Errors: RunError for missing or broken ones."""
    return Arm(read(directory / "events.jsonl"), json.loads(read_text(directory / "summary.json")))


def read_text(file: Path) -> str:
    """A file's text. Errors: RunError if there is none."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror}; is this a run directory?") from None


def _mentioned(event: Event) -> list[str]:
    """The cohorts that an event names."""
    one = [event["cohort"]] if "cohort" in event else []
    return [*one, *event.get("cohorts", ()), *event.get("children", ())]


def _natural(name: str) -> list[tuple[int, str]]:
    """So that 0.10 comes after 0.9."""
    return [(len(part), part) for part in name.split(".")]
