"""Which sweep or run is meant by a path, a name, or a name and the time it began."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from horae.errors import RunError, did_you_mean, one_line
from horae.files import PROCESS
from horae.sweep import plan as plans
from horae.sweep.compared import is_comparison
from horae.sweep.plan import Plan, Run

SWEEPS, COMPARISONS, RUNS = Path("sweeps"), Path("comparisons"), Path("runs")
SWEEP, COMPARISON, ALONE = "sweep", "comparison", "run"
_STAMPED = re.compile(r"(.+)-([0-9]{8}-[0-9]{6})(-[0-9]+)?")


@dataclass(frozen=True)
class Target:
    """kind: what lies in the directory: a sweep, a comparison, or a run of no sweep. run: one of that sweep's."""

    directory: Path
    run: Run | None = None
    kind: str = SWEEP


def find(words: str, time: str = "") -> list[Target]:
    """What is meant: a directory; else the sweeps, comparisons or runs of that name below `sweeps/`, `comparisons/` and
    `runs/`; else runs of that name in sweeps. time: as in the directory's name. Errors: RunError where there is none.
    """
    if not time and (place := Path(words)).is_dir() and (there := _at(place)):
        return [there]
    named = [target for target in here() if _is_called(target.directory.name, words, time)]
    if not named and not time:
        named = [Target(sweep, run) for sweep, plan in _plans() for run in plan.runs if words in (run.id, run.arm)]
    if not named:
        raise RunError(_nothing(words, time))
    return named


def here() -> list[Target]:
    """Every sweep, comparison and run below the usual places, the one begun last first."""
    found = [Target(place) for place in _directories(SWEEPS) if is_sweep(place)]
    found += [Target(place, kind=COMPARISON) for place in _directories(COMPARISONS) if is_comparison(place)]
    return found + [Target(place, kind=ALONE) for place in _directories(RUNS) if _is_run(place)]


def is_sweep(directory: Path) -> bool:
    """True where a sweep lies."""
    return (directory / plans.FILE).exists()


def _at(place: Path) -> Target | None:
    """What lies in a directory: a sweep, a run of one, a comparison, or a run alone."""
    if is_sweep(place):
        return Target(place)
    if is_comparison(place):
        return Target(place, kind=COMPARISON)
    for sweep in list(place.absolute().parents)[:4]:
        if is_sweep(sweep):
            plan = plans.read(sweep)
            mine = (run for run in plan.runs if run.files(sweep)[1] == place.absolute())
            if (run := next(mine, None)) is not None:
                return Target(sweep, run)
    return Target(place, kind=ALONE) if _is_run(place) else None


def _is_run(place: Path) -> bool:
    return any((place / name).exists() for name in ("experiment.toml", "events.jsonl", PROCESS))


def _is_called(directory: str, words: str, time: str) -> bool:
    if not time:
        match = _STAMPED.fullmatch(directory)
        return words == directory or (match is not None and words == match[1])
    return directory == f"{words}-{time}"


def _plans() -> Iterator[tuple[Path, Plan]]:
    for target in here():
        if target.kind == SWEEP:
            with suppress(RunError):  # it is told when it is asked for
                yield target.directory, plans.read(target.directory)


def _directories(place: Path) -> list[Path]:
    """Directories in a place, those with the latest time in their names first."""
    try:
        found = [entry for entry in place.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:
        return []
    return sorted(found, key=_order, reverse=True)


def _order(place: Path) -> tuple[str, str]:
    match = _STAMPED.fullmatch(place.name)
    return (match[2] if match else "", place.name)


def _nothing(words: str, time: str) -> str:
    names = [target.directory.name for target in here()]
    known = {match[1] if (match := _STAMPED.fullmatch(name)) else name for name in names}
    hint = did_you_mean(words, known) if known else "name its directory"
    wanted = one_line(f"{words} {time}".strip(), 80)
    usual = f"{SWEEPS}/, {COMPARISONS}/ or {RUNS}/"
    return f"there is no {wanted} in {usual}, and no such directory; {hint}"
