"""The numbers behind a row: what an arm's run of one seed came to, by the name of a measure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from horae.compare.arms import find_arm
from horae.compare.logs import Log, reached, read_log
from horae.compare.plan import Plan
from horae.errors import ConfigError, did_you_mean
from horae.reproduce.probes import Numbers

SPEEDUPS = {
    "speedup_time": "time_to_accuracy_s",
    "speedup_participations": "participations_to_accuracy",
    "speedup_bytes": "bytes_to_accuracy",
}  # measure to what is needed until the target


class Measured(Protocol):
    """What was measured, whichever way."""

    @property
    def arms(self) -> list[str]:
        """All of them, in order."""

    @property
    def seeds(self) -> list[int]:
        """Those that were asked for."""

    def arm(self, wanted: str) -> str:
        """An arm's name as it is listed. Errors: ConfigError."""

    def value(self, arm: str, seed: int, measure: str) -> float | None:
        """One number; None if there is none."""

    def needed(self, arm: str, against: str, measure: str) -> tuple[list[float | None], list[float | None]]:
        """What both needed, seed by seed, until the best accuracy that every seed of `against` reached."""

    def curve(self, arm: str) -> list[list[tuple[float, float]]]:
        """Seconds and accuracy on the way, for every finished seed."""


@dataclass(frozen=True)
class Runs:
    """A comparison that was carried out. results: what results.json holds. root: its directory."""

    plan: Plan
    results: Mapping[str, Any]
    root: Path
    _logs: dict[tuple[str, int], Log] = field(default_factory=dict)
    _summaries: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)

    @property
    def arms(self) -> list[str]:
        """As the plan has them."""
        return [arm.name for arm in self.plan.arms]

    @property
    def seeds(self) -> list[int]:
        """As the plan has them."""
        return self.plan.seeds

    def arm(self, wanted: str) -> str:
        """By name, or by its changes in full."""
        try:
            return find_arm(self.plan.arms, wanted).name
        except ConfigError:
            raise ConfigError(f"there is no arm {wanted!r}; {did_you_mean(wanted, self.arms)}") from None

    def value(self, arm: str, seed: int, measure: str) -> float | None:
        """From the comparison's row, the ledger or the summary."""
        row = self._row(arm, seed)
        if row["state"] != "finished":
            return None
        if measure == "accuracy_late":
            return late(self._log(arm, seed).scores)
        if measure == "bytes":
            both = (row["bytes_up"], row["bytes_down"])
            return None if None in both else math.fsum(map(number, both))
        if measure.startswith(("ledger.", "share.")):
            return of_ledger(self._log(arm, seed).ledger, measure)
        found = row[measure] if measure in row else of_table(self._summary(arm, seed), measure)
        return None if found is None else number(found)

    def needed(self, arm: str, against: str, measure: str) -> tuple[list[float | None], list[float | None]]:
        """From the scores in both logs; nobody has needed anything where `against` has no accuracy."""
        key = SPEEDUPS[measure]
        best = [self._log(against, seed).best for seed in self.seeds]
        told = [value for value in best if value is not None]
        target = min(told) if len(told) == len(best) else None
        mine, other = (
            [reached(self._log(name, seed).scores, target)[key] for seed in self.seeds] for name in (arm, against)
        )
        return mine, other

    def curve(self, arm: str) -> list[list[tuple[float, float]]]:
        """From the logs."""
        logs = [self._log(arm, seed) for seed in self.seeds]
        return [[(score["at_s"], score["accuracy"]) for score in log.scores] for log in logs if log.scores]

    def _row(self, arm: str, seed: int) -> Mapping[str, Any]:
        return next(row for row in self.results["runs"] if (row["arm"], row["seed"]) == (arm, seed))

    def _place(self, arm: str, seed: int) -> Path:
        return self.root / str(self._row(arm, seed)["directory"])

    def _log(self, arm: str, seed: int) -> Log:
        if (arm, seed) not in self._logs:
            self._logs[arm, seed] = read_log(self._place(arm, seed) / "events.jsonl")
        return self._logs[arm, seed]

    def _summary(self, arm: str, seed: int) -> dict[str, Any]:
        if (arm, seed) not in self._summaries:
            self._summaries[arm, seed] = read_table(self._place(arm, seed) / "summary.json")
        return self._summaries[arm, seed]


@dataclass(frozen=True)
class Probed:
    """What a probe found: seed to arm to measure to number."""

    seeds: list[int]
    found: Mapping[int, Numbers]

    @property
    def arms(self) -> list[str]:
        """As the probe names them."""
        return list(dict.fromkeys(arm for numbers in self.found.values() for arm in numbers))

    def arm(self, wanted: str) -> str:
        """Itself, if it is there."""
        if wanted not in self.arms and self.found:
            raise ConfigError(f"there is no arm {wanted!r}; {did_you_mean(wanted, self.arms)}")
        return wanted

    def value(self, arm: str, seed: int, measure: str) -> float | None:
        """As it was measured."""
        found: float | None = self.found.get(seed, {}).get(arm, {}).get(measure)
        return found

    def needed(self, arm: str, against: str, measure: str) -> tuple[list[float | None], list[float | None]]:
        """Nothing is trained to a target here."""
        return [None] * len(self.seeds), [None] * len(self.seeds)

    def curve(self, arm: str) -> list[list[tuple[float, float]]]:
        """There is none."""
        return []


def late(scores: Sequence[Mapping[str, Any]]) -> float | None:
    """The mean accuracy at the scores of a run's second half, by participations: a single round's is often luck.

    >>> late([{"participations": n, "accuracy": a} for n, a in ((0, 0.1), (10, 0.5), (20, 0.7))])
    0.6
    """
    if not scores:
        return None
    half = [float(score["accuracy"]) for score in scores if 2 * score["participations"] >= scores[-1]["participations"]]
    return sum(half) / len(half)


def of_ledger(ledger: Mapping[str, Mapping[str, float]], measure: str) -> float:
    """`ledger.<purpose>.<key>`, or its `share` of that of all purposes; `nbytes` is both ways. Who did not do it: 0.

    >>> costs = {"train": {"nbytes_up": 2, "nbytes_down": 4}, "affinity": {"nbytes_up": 2}}
    >>> of_ledger(costs, "ledger.train.nbytes"), of_ledger(costs, "share.affinity.nbytes")
    (6.0, 0.25)
    """
    kind, _, rest = measure.partition(".")
    purpose, _, key = rest.rpartition(".")
    keys: Sequence[str] = ("nbytes_up", "nbytes_down") if key == "nbytes" else (key,)
    sums = {name: float(sum(row.get(one, 0.0) for one in keys)) for name, row in ledger.items()}
    own = sums.get(purpose, 0.0)
    return own if kind == "ledger" else own / max(sum(sums.values()), 1e-300)


def of_table(table: Mapping[str, Any], measure: str) -> Any:
    """A dotted key of nested tables; None where there is none."""
    found: Any = table
    for key in measure.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def number(value: Any) -> float:
    """A number as a float. Errors: ConfigError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"measure should be a number of a run, got {value!r}; choose another measure")
    return float(value)


def read_table(file: Path) -> dict[str, Any]:
    """A JSON object; empty if it cannot be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}
