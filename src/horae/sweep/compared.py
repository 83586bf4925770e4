"""How a comparison stands, told from its directory alone: what `horae status` and `horae stop` know of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from horae.sweep import rows
from horae.sweep.rows import Row, Standing
from horae.sweep.state import FAILED, STOPPED, WAITING

FILE = "comparison.json"  # as in `horae.compare.plan`, which loads torch
_ASKED = ("stopped", "interrupted")  # how the last words of a run begin that was asked to stop


@dataclass(frozen=True)
class Place:
    """A run or a trial of a comparison. name: its directory in the comparison's. log: what it says on stderr."""

    name: str
    directory: Path
    log: Path
    seed: int


def is_comparison(directory: Path) -> bool:
    """True where a comparison lies."""
    return (directory / FILE).exists()


def places(directory: Path) -> Iterator[Place]:
    """Every run and trial whose experiment is written, laid out as in `horae.compare.jobs`."""
    experiments = directory / "experiments"
    for file in sorted(experiments.rglob("seed-*.toml")):
        words = file.relative_to(experiments).with_suffix("").parts
        seed = words[-1].removeprefix("seed-")
        if not seed.isdecimal():
            continue
        name = "/".join(("tuning" if len(words) > 2 else "runs", *words))
        log = directory / "logs" / f"{'-'.join(words)}.txt"
        yield Place(name, directory / name, log, int(seed))


def standing(directory: Path) -> Standing:
    """How a comparison stands: its trials and runs, as far as they are decided."""
    return Standing(directory.name, directory, rows.course(directory), [_row(place) for place in places(directory)])


def _row(place: Place) -> Row:
    (row,) = rows.alone(place.directory).rows
    if row.state == STOPPED:
        said = _last_words(place.log)
        failed = bool(said) and not said.startswith(_ASKED)
        state = FAILED if failed else STOPPED if place.directory.exists() else WAITING
        row = replace(row, state=state, why=said if failed else row.why)
    return replace(row, run=place.name, seed=place.seed)


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip().removeprefix("horae: ") for line in reversed(lines) if line.strip()), "")
