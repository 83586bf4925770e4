"""What a reproduction found, as it is kept: numbers by arm and seed, the rows with their verdicts, how it was made."""

from __future__ import annotations

import json
import math
import os
import platform
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from horae import __version__
from horae.errors import RunError
from horae.files import write_whole
from horae.reproduce.claims import Check, Reproduction
from horae.reproduce.judging import Row
from horae.reproduce.measures import SPEEDUPS, Measured, Runs, read_table

ALWAYS = ("accuracy", "accuracy_worst10", "cohorts", "simulated_s", "bytes", "run_wall_s")  # of every arm
_POINTS = 24  # of a curve that is kept
_DIGITS = 6
_TARGETS = ("Target", "No target", "Speed-ups")  # notes on the comparison's target: every row has its own


@dataclass(frozen=True)
class Record:
    """table: what the file holds. See `record_of`."""

    table: dict[str, Any]

    @property
    def rows(self) -> list[Row]:
        """The checks."""
        return [Row(**row) for row in self.table["checks"]]

    @property
    def arms(self) -> list[dict[str, Any]]:
        """Each with name, changes and values: measure to one number for each seed."""
        found: list[dict[str, Any]] = self.table["arms"]
        return found

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps(self.table, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def record_of(reproduction: Reproduction, owner: Reproduction, size: str, found: Measured, rows: list[Row]) -> Record:
    """Everything the page needs. owner: whose runs they are."""
    wanted = {check.measure for check in reproduction.checks_at(size)} - set(SPEEDUPS) | {reproduction.claim.measure}
    of_runs = isinstance(found, Runs)
    measures = list(dict.fromkeys([*(ALWAYS if of_runs else ()), *sorted(wanted)]))
    shown = reproduction.claim.picture == "curves"
    arms = [
        {
            "name": arm,
            "changes": next(a.changes for a in found.plan.arms if a.name == arm) if isinstance(found, Runs) else {},
            "values": {m: [_short(found.value(arm, seed, m)) for seed in found.seeds] for m in measures},
        }
        | ({"curve": curve(found.curve(arm))} if shown else {})
        for arm in found.arms
    ]
    return Record(
        {
            "reproduction": reproduction.title,
            "size": size,
            "runs_of": owner.title,
            "of": digest(reproduction, owner, size),
            "seeds": list(found.seeds),
            "command": shlex.join(["horae", "reproduce", reproduction.title, *_options(size, len(found.seeds))]),
            "horae": __version__,
            "machine": machine(),
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "notes": _notes(found),
            "checks": [{key: _short(value) for key, value in asdict(row).items()} for row in rows],
            "arms": arms,
        }
    )


def digest(reproduction: Reproduction, owner: Reproduction, size: str) -> list[Any]:
    """What has to be the same in the file for its results to be its own: the runs, and the rows."""
    return [owner.sizes[size].digest, [_key(check, size) for check in reproduction.checks_at(size)]]


def write(record: Record, file: Path) -> None:
    """Keep it. Errors: RunError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot write {file}: {error.strerror}; --keep is for a checkout of horae") from None
    write_whole(file, record.dumps())


def read(file: Path) -> Record | None:
    """Results that were kept; None if there are none. Errors: RunError for a broken file."""
    if not file.exists():
        return None
    table = read_table(file)
    if not {"checks", "arms", "of", "seeds"} <= table.keys():
        raise RunError(f"cannot read {file}: it is no record; make it again with horae reproduce --keep")
    return Record(table)


def machine() -> str:
    """Processor and cores, nothing that names the machine."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores"


def curve(runs: list[list[tuple[float, float]]]) -> list[list[float]]:
    """Seconds, then the mean, lowest and highest accuracy over seeds at some of them; a run that ended keeps its last.

    >>> curve([[(0.0, 0.1), (10.0, 0.5)], [(0.0, 0.3), (10.0, 0.7)]])[-1]
    [10.0, 0.6, 0.5, 0.7]
    """
    if not runs:
        return []
    last = max(run[-1][0] for run in runs)
    times = [last * i / (_POINTS - 1) for i in range(_POINTS)]
    found = []
    for at in times:
        values = [_at(run, at) for run in runs]
        found.append([round(at, 1), *(_short(v) for v in (math.fsum(values) / len(values), min(values), max(values)))])
    return found


def _at(run: list[tuple[float, float]], at: float) -> float:
    """Accuracy at a time, in a straight line between two scores."""
    for (t0, a0), (t1, a1) in pairwise(run):
        if t0 <= at < t1:
            return a0 + (a1 - a0) * (at - t0) / (t1 - t0)
    return run[0][1] if at < run[0][0] else run[-1][1]


def _notes(found: Measured) -> list[str]:
    told = found.results["notes"] if isinstance(found, Runs) else []
    return [note for note in told if not note.startswith(_TARGETS)]


def _key(check: Check, size: str) -> list[Any]:
    row: Mapping[str, Any] = asdict(check)
    sides = [list(side) if isinstance(side, tuple) else side for side in (check.arm[size], check.against[size])]
    return [*sides, *(row[key] for key in ("words", "measure", "direction", "paper", "within", "ratio"))]


def _options(size: str, seeds: int) -> list[str]:
    return [*([] if size == "small" else ["--size", size]), "--seeds", str(seeds)]


def _short(value: Any) -> Any:
    """Numbers to six digits, also within lists: what is read again is the same."""
    if isinstance(value, list):
        return [_short(item) for item in value]
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
