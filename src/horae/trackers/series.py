"""From the events of a log to numbers over time. What names clients stays in the log."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from horae.trackers.common import Point

Event = Mapping[str, Any]

SCORE = {
    "accuracy": "accuracy", "accuracy_worst10": "worst10", "accuracy_best10": "best10",
    "accuracy_variance": "variance", "loss": "loss",
}  # fmt: skip
ROUND = ("nbytes_up", "nbytes_down", "flops", "stragglers", "dropouts", "refused")  # added up


class Series:
    """Reads events in order, from the first; adds up what a tracker should see as a total."""

    def __init__(self) -> None:
        self.ended = False
        self._number = self._step = 0
        self._at_s = 0.0
        self._total: Counter[str] = Counter()

    def of(self, event: Event) -> Point | None:
        """What this event adds, if it holds numbers."""
        self._number += 1
        self._at_s = float(event.get("at_s", self._at_s))
        read = getattr(self, f"_{event['event']}", None)
        found = read(event) if read else {}
        numbers = {name: float(value) for name, value in found.items() if _is_number(value)}
        return Point(self._number, self._step, self._at_s, numbers) if numbers else None

    def _round(self, event: Event) -> dict[str, Any]:
        took, cohort = len(event["clients"]), f"cohort/{event['cohort']}"
        self._step += took
        self._total.update({name: event.get(name, 0) for name in ROUND}, rounds=1, participations=took)
        totals = {f"total/{name}": value for name, value in self._total.items()}
        own = {"round": event["number"] + 1, "participants": took, "train_loss": event["loss"]}
        return totals | {f"{cohort}/{name}": value for name, value in own.items()}

    def _verdict(self, event: Event) -> dict[str, Any]:
        cohort = f"cohort/{event['cohort']}"
        self._total["splits"] += bool(event["split"])
        found = {f"{cohort}/split_statistic": event["statistic"], f"{cohort}/split_threshold": event["threshold"]}
        return {**found, "total/splits": self._total["splits"]}

    def _score(self, event: Event) -> dict[str, Any]:
        self._step = max(self._step, event["participations"])
        found = {name: event.get(key) for name, key in SCORE.items()} | {"cohorts": len(event["cohorts"])}
        for cohort, (clients, accuracy) in event["cohorts"].items():
            found |= {f"cohort/{cohort}/clients": clients, f"cohort/{cohort}/accuracy": accuracy}
        return found

    def _metrics(self, event: Event) -> dict[str, Any]:
        return {name: value for name, value in event.items() if name != "event"}

    def _end(self, event: Event) -> dict[str, Any]:
        self.ended = True
        rows = event["ledger"].items()
        return {f"ledger/{purpose}/{name}": value for purpose, row in rows for name, value in row.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
