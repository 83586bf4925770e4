"""What a comparison reads in a run's events.jsonl: when an accuracy was reached, and what the method cost."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Score = Mapping[str, Any]
AXES = {
    "time_to_accuracy_s": "at_s", "participations_to_accuracy": "participations", "bytes_to_accuracy": "nbytes",
}  # fmt: skip
TRAINING = ("train", "straggler", "dropout", "unfinished")  # purposes of the ledger that every method has
COSTS = ("extra_compute", "extra_flops", "downloads", "uploads", "extra_participations")
_READ = tuple(f'{{"event":"{kind}"' for kind in ("run", "score", "end"))  # how the lines that are read here begin


@dataclass(frozen=True)
class Log:
    """opened, ended: the events `run` and `end`, empty where there is none. scores: those with an accuracy."""

    opened: dict[str, Any] = field(default_factory=dict)
    scores: list[dict[str, Any]] = field(default_factory=list)
    ended: dict[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> float | None:
        """The highest accuracy on the way."""
        return max((score["accuracy"] for score in self.scores), default=None)

    @property
    def ledger(self) -> dict[str, dict[str, float]]:
        """What everything cost, by purpose."""
        found = self.ended.get("ledger", {})
        return found if isinstance(found, dict) else {}


def read_log(file: Path) -> Log:
    """A run's log; what cannot be read is not there."""
    try:
        with file.open(encoding="utf-8") as lines:
            events = [json.loads(line) for line in lines if line.startswith(_READ)]
    except (OSError, ValueError):
        return Log()
    one = {event["event"]: event for event in events}
    scores = [event for event in events if event["event"] == "score" and event.get("accuracy") is not None]
    return Log(one.get("run", {}), scores, one.get("end", {}))


def reached(scores: Sequence[Score], target: float | None) -> dict[str, float | None]:
    """Simulated seconds, participations and bytes until the target, each None if it was never reached."""
    return {key: None if target is None else _first(scores, axis, target) for key, axis in AXES.items()}


def costs(log: Log) -> dict[str, float | None]:
    """What the method asked of clients beside training, and how many models a participation moved.

    extra_compute: FLOPs beside training over those of the updates used; extra_flops: the former. downloads, uploads:
    bytes for every purpose over 4 · params · participations. extra_participations: clients that were asked for
    something else. Stragglers and what was unfinished at the end are training. None without a ledger.

    Source: the columns of Auxo (SoCC '23) Table 1, measured.
    """
    if not log.ledger:
        return dict.fromkeys(COSTS)
    beside = [row for purpose, row in log.ledger.items() if purpose not in TRAINING]
    train = log.ledger.get("train", {})
    flops, model = _sum(beside, "flops"), 4 * log.opened.get("params", 0) * train.get("participations", 0)
    up, down = (_sum(log.ledger.values(), key) for key in ("nbytes_up", "nbytes_down"))
    return {
        "extra_compute": flops / train["flops"] if train.get("flops") else None,
        "extra_flops": flops,
        "downloads": down / model if model else None,
        "uploads": up / model if model else None,
        "extra_participations": _sum(beside, "participations"),
    }


def _first(scores: Sequence[Score], axis: str, target: float) -> float | None:
    """Where accuracy first reaches the target, rising in a straight line from the score before; None if never."""
    for i, score in enumerate(scores):
        if score["accuracy"] >= target:
            if axis not in score or (i and axis not in scores[i - 1]):
                return None
            if not i:
                return float(score[axis])
            before = scores[i - 1]
            share = (target - before["accuracy"]) / (score["accuracy"] - before["accuracy"])
            return float(before[axis] + share * (score[axis] - before[axis]))
    return None


def _sum(rows: Iterable[Mapping[str, float]], key: str) -> float:
    return math.fsum(row.get(key, 0) for row in rows)
