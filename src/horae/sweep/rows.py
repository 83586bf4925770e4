"""What is known of a sweep's runs, read in its directory alone: while it runs, after it, and after a crash."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from horae.files import PROCESS
from horae.pids import Process, at_work
from horae.sweep import plan as plans
from horae.sweep import state as states
from horae.sweep.plan import Plan, Run
from horae.sweep.state import DONE, RUNNING, STOPPED, WAITING, Story

GONE = "its process is gone"
_ROUND, _SCORE = b'{"event":"round"', b'{"event":"score"'  # how such lines begin


@dataclass(frozen=True)
class Row:
    """A run. rounds: of its own arm; baseline_rounds: of the one it is compared with. None: not known here.

    since: when it came to be in this state, in seconds since 1970. why: it failed, or what else should be known.
    """

    run: str
    seed: int | None
    state: str
    slot: str
    rounds: int | None
    baseline_rounds: int | None
    accuracy: float | None
    since: float | None
    why: str
    directory: str


@dataclass(frozen=True)
class Standing:
    """A sweep, a comparison, or a run alone. state: of it all, as of `course`, or of the run."""

    name: str
    directory: Path
    state: str
    rows: list[Row]

    def count(self, state: str) -> int:
        """How many runs are in a state."""
        return sum(row.state == state for row in self.rows)

    def table(self) -> dict[str, Any]:
        """As JSON has it."""
        rows = [asdict(row) for row in self.rows]
        return {"name": self.name, "directory": str(self.directory), "state": self.state, "runs": rows}


def standing(directory: Path) -> Standing:
    """How a sweep stands. Errors: RunError where there is none."""
    plan, state = plans.read(directory), states.read(directory)
    now = course(directory)
    rows = [_row(plan, run, state.of(run.id), directory, now == RUNNING) for run in plan.runs]
    return Standing(plan.name, directory, now, rows)


def course(directory: Path) -> str:
    """How it is with the process of a sweep or a comparison: running, ended, or gone, having been killed."""
    process = at_work(directory)
    return "ended" if process is None else RUNNING if _there(process) is not None else "gone"


def alone(directory: Path) -> Standing:
    """How a run that belongs to no sweep stands."""
    process, done = at_work(directory), (directory / "summary.json").exists()
    alive = _there(process) is not None
    state = RUNNING if alive else DONE if done else STOPPED
    why = "" if state == DONE else _elsewhere(process) if alive else GONE if process is not None else ""
    since = _changed(directory / PROCESS) if alive else _changed(directory / "events.jsonl")
    numbers = _numbers(directory)
    row = Row(directory.name, None, state, "", *numbers, since, why, str(directory))
    return Standing(directory.name, directory, state, [row])


def there(directory: Path) -> Process | None:
    """The process that works in a directory, if it is there still; it may be one of another machine."""
    return _there(at_work(directory))


def working(story: Story, directory: Path) -> Process | None:
    """The process that carries out a run of a sweep, likewise."""
    return there(directory) or (None if story.ended else _there(story.process))


def _there(process: Process | None) -> Process | None:
    return process if process is not None and (process.alive or not process.near) else None


def _row(plan: Plan, run: Run, story: Story, sweep: Path, going: bool) -> Row:
    _, directory, _ = run.files(sweep)
    state, why = _state(story, directory, going)
    host = story.begun.host if story.begun is not None else ""
    if host and state != WAITING and not (directory / "summary.json").exists():
        why = "; ".join(part for part in (why, f"in {plan.there(run, host)}") if part)
    slot = story.begun.name if story.begun is not None else ""
    since = _changed(directory / "summary.json") if state == DONE and not story.ended else story.since
    return Row(run.id, run.seed, state, slot, *_numbers(directory), since, why, str(directory))


def _state(story: Story, directory: Path, going: bool) -> tuple[str, str]:
    """The state, and what should be said of it."""
    process = working(story, directory)
    if process is not None:
        return RUNNING, _elsewhere(process)
    if (directory / "summary.json").exists():
        return DONE, story.why if story.ended == DONE else ""
    if story.begun is None or (going and story.again):
        return WAITING, ""
    if story.ended:
        return story.ended, story.why
    return STOPPED, GONE


def _elsewhere(process: Process | None) -> str:
    return "" if process is None or process.near else f"on {process.host}, as far as can be seen from here"


def _numbers(directory: Path) -> tuple[int | None, int | None, float | None]:
    """Rounds of both arms and the last accuracy; None for what is not there."""
    rounds, accuracy = _log(directory / "events.jsonl")
    baseline, _ = _log(directory / "baseline" / "events.jsonl")
    return rounds, baseline, accuracy


def _log(file: Path) -> tuple[int | None, float | None]:
    """How many rounds with clients there were, and the last score; a line that is being written does not count."""
    rounds, score = 0, b""
    try:
        with file.open("rb") as lines:
            for line in lines:
                if line.startswith(_ROUND) and line.endswith(b"\n"):
                    rounds += b'"clients":[]' not in line
                elif line.startswith(_SCORE) and line.endswith(b"\n"):
                    score = line
    except OSError:
        return None, None
    try:
        return rounds, json.loads(score)["accuracy"] if score else None
    except (ValueError, KeyError, TypeError):
        return rounds, None


def _changed(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except OSError:
        return None
