"""What is known of one arm, gathered event by event in little room: however long a log is, what is kept is bounded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from horae.report.log import Event

MOST_SCORES, MOST_COHORTS, MOST_LOOKS, MOST_MOVES = 1_000, 400, 60, 2_000
BOOKED = ("nbytes_up", "nbytes_down", "flops")


@dataclass
class Cohort:
    """A cohort's life. since_s: when its parent split; until_s: when it split itself, with the verdict."""

    name: str
    since_s: float
    until_s: float | None = None
    split: Event | None = None
    rounds: int = 0


@dataclass
class Fold:
    """An arm so far. moves: how often a client trained in another cohort than at its last visit, by (from, to)."""

    run: Event = field(default_factory=dict)
    end: Event = field(default_factory=dict)
    scores: list[Event] = field(default_factory=list)
    looks: list[Event] = field(default_factory=list)
    cohorts: dict[str, Cohort] = field(default_factory=dict)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    booked: Counter[str] = field(default_factory=Counter)
    at_s: float = 0.0
    _last: dict[int, str] = field(default_factory=dict)  # where each client trained last

    def take(self, event: Event) -> None:
        """Add what one more event says."""
        kind = event["event"]
        self.at_s = max(self.at_s, event.get("at_s", 0.0))
        if kind == "run":
            self.run = event
        elif kind == "score":
            self._score(event)
        elif kind == "round":
            self._round(event)
        elif kind == "verdict":
            self._verdict(event)
        elif kind == "end":
            self.end = event

    @property
    def finished(self) -> bool:
        """False for a log that has no end yet."""
        return bool(self.end)

    @property
    def score(self) -> Event:
        """The last score, or an empty one."""
        return self.scores[-1] if self.scores else {}

    @property
    def clustering(self) -> str:
        """The clustering's name."""
        return str(self.run.get("components", {}).get("clustering", ""))

    @property
    def leaves(self) -> list[str]:
        """The cohorts that have not split, in the order of the tree."""
        return sorted((c.name for c in self.cohorts.values() if c.split is None), key=natural)

    @property
    def ledger(self) -> dict[str, dict[str, float]]:
        """What everything cost, by purpose; before the end all that rounds booked, in one row."""
        if self.finished:
            return dict(self.end["ledger"])
        told = {key: float(self.booked[key]) for key in ("participations", *BOOKED)}
        return {"so far": told} if self.booked else {}

    def standing(self) -> dict[str, Any]:
        """What the summary would say, as far as it can be told before there is one."""
        last = self.score
        return {
            "name": self.run.get("name"), "clustering": self.clustering, "seed": self.run.get("seed"),
            "accuracy": last.get("accuracy"), "accuracy_worst10": last.get("worst10"), "cohorts": len(self.leaves),
            "rounds": self.booked["rounds"], "participations": self.booked["participations"],
            "simulated_s": self.at_s, "bytes_up": self.booked["nbytes_up"], "bytes_down": self.booked["nbytes_down"],
        }  # fmt: skip

    def _score(self, event: Event) -> None:
        self.scores.append(event)
        for name in event["cohorts"]:
            self._cohort(name, event["at_s"])
        if len(self.scores) > 2 * MOST_SCORES:
            self.scores = [*self.scores[:-1:2], self.scores[-1]]

    def _round(self, event: Event) -> None:
        cohort, clients = event["cohort"], event["clients"]
        known = self._cohort(cohort, event["started_s"])
        self.booked["rounds"] += bool(clients)
        self.booked["participations"] += len(clients)
        for key in BOOKED:
            self.booked[key] += event.get(key, 0)
        if known is None:
            return
        known.rounds += bool(clients)
        for client in clients:
            before = self._last.get(client) or known.name
            step = (before, known.name)
            if before != known.name and (step in self.moves or len(self.moves) < MOST_MOVES):
                self.moves[step] += 1
            self._last[client] = known.name

    def _verdict(self, event: Event) -> None:
        told = ("cohort", "round", "at_s", "split", "statistic", "threshold", "reason", "children")
        look = {key: event[key] for key in told if key in event}
        known = self._cohort(event["cohort"], event["at_s"])
        if event["split"]:
            if known is not None and known.split is None:
                known.until_s, known.split = event["at_s"], look
            for child in event["children"]:
                self._cohort(child, event["at_s"])
        self.looks = [*self.looks, look][-MOST_LOOKS:]

    def _cohort(self, name: str, at_s: float) -> Cohort | None:
        if name not in self.cohorts and len(self.cohorts) < MOST_COHORTS:
            self.cohorts[name] = Cohort(name, at_s)
        return self.cohorts.get(name)


def natural(name: str) -> list[tuple[int, str]]:
    """So that 0.10 comes after 0.9."""
    return [(len(part), part) for part in name.split(".")]
