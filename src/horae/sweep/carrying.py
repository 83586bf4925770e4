"""Carry out a sweep, or go on with one that was stopped, killed, or had runs that failed."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from horae.compare.bars import Bars
from horae.compare.processes import Job, listens, look_after
from horae.errors import ConfigError, RunError, Stopped, require
from horae.files import check_writable, claimed, is_free
from horae.pids import recorded
from horae.sweep import file as files
from horae.sweep import making, rows
from horae.sweep import plan as plans
from horae.sweep import state as states
from horae.sweep.crew import Slots
from horae.sweep.making import Texts, experiment_of
from horae.sweep.plan import Plan, Run
from horae.sweep.rows import Standing
from horae.sweep.state import DONE

HOME = Path("sweeps")
_BLINK_S = 0.2


def sweep(
    source: str | Path | None = None,
    *,
    jobs: int | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    data_root: str | Path | None = None,
    console: Console | None = None,
) -> Standing:
    """Carry out all runs of a file, one in each slot at a time; `resume` goes on in a directory.

    jobs: that many slots on this machine's processor, in place of the file's. out: default sweeps/<name>-<time>. With
    `resume`, a file may name other slots, hosts and environment than before, but the same runs. console: where to draw
    progress, if anywhere. A run that fails is among the rows. Errors: ConfigError and DataError before anything is
    started, RunError for a directory that cannot be used, Stopped after Ctrl-C.
    """
    if resume is None:
        require(source is not None, "sweep", "name a file", "nothing", "see docs/sweep.md, or go on by --resume DIR")
        plan, texts = making.make(files.read(Path(str(source))), jobs)
        directory = _fresh(plan, out)
    else:
        directory = Path(resume)
        if out is not None and Path(out) != directory:
            raise ConfigError(f"--out and --resume name two places, {out} and {directory}; leave --out away")
        plan, texts = _begun(directory, source, jobs)
    if data_root is not None:
        plan = replace(plan, where=replace(plan.where, data_root=str(Path(data_root).absolute())))
    making.check(plan, texts)
    with claimed(directory), recorded(directory, gentle=listens()):
        if resume is None and not is_free(directory):  # somebody was quicker
            raise RunError(f"{directory} is not empty; choose another --out")
        making.write(plan, texts, directory)
        return _carry_out(plan, texts, directory, console or Console(stderr=True, quiet=True))


def _carry_out(plan: Plan, texts: Texts, directory: Path, console: Console) -> Standing:
    """What is left to do. Errors: Stopped."""
    every = {_job(run, directory): run for run in plan.runs}
    _outlived(plan, directory, console)
    todo = {job: run for job, run in every.items() if not job.finished}
    crew = Slots(plan, directory, todo, texts)
    states.tell(directory, "sweep")
    budgets = {job: experiment_of(texts[run], run).budget for job, run in todo.items()}
    with Bars(console, budgets, len(every) - len(todo), quiet=console.quiet) as bars:
        _, stopped = look_after(list(todo), crew, bars)
    standing = replace(rows.standing(directory), state="ended")
    if stopped:
        again = f"go on with: horae sweep --resume {shlex.quote(str(directory))}"
        raise Stopped(f"stopped with {standing.count(DONE)} of {len(every)} runs done; {again}")
    return standing


def _outlived(plan: Plan, directory: Path, console: Console) -> None:
    """Wait for runs of a sweep that was killed: they notice, and end their rounds. Errors: Stopped."""
    state = states.read(directory)

    def there() -> Sequence[Run]:
        found = ((run, rows.working(state.of(run.id), run.files(directory)[1])) for run in plan.runs)
        return [run for run, working in found if working is not None and working.alive]

    if left := there():
        words = f"waiting for {len(left)} runs of the sweep that was killed to end their rounds"
        console.print(words, markup=False, highlight=False)
    try:
        while there():
            time.sleep(_BLINK_S)
    except KeyboardInterrupt:
        raise Stopped(f"stopped while waiting; see: horae status {shlex.quote(str(directory))}") from None


def _begun(directory: Path, source: str | Path | None, jobs: int | None) -> tuple[Plan, Texts]:
    """The plan of a directory, with slots, hosts and environment as they are said now. Errors: HoraeError."""
    plan = plans.read(directory)
    try:
        texts = {run: run.files(directory)[0].read_text(encoding="utf-8") for run in plan.runs}
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"cannot read the experiments of {directory}: {error}; start anew") from None
    if source is not None:
        wanted, theirs = making.make(files.read(Path(source)), jobs)
        making.same(plan, texts, wanted, theirs)
        plan = replace(plan, where=wanted.where)
    elif jobs is not None:
        plan = replace(plan, where=making.settled(replace(plan.where, slots=[]), jobs))
    return plan, texts


def _job(run: Run, directory: Path) -> Job:
    experiment, place, log = run.files(directory)
    return Job(run.arm, run.seed, experiment, place, log)


def _fresh(plan: Plan, out: str | Path | None) -> Path:
    """Where a new sweep will lie; nothing is made yet. Errors: RunError if it holds something."""
    directory = Path(out) if out is not None else HOME / plan.tag.rpartition("-")[0]
    check_writable(directory)
    if not is_free(directory):
        begun = (directory / plans.FILE).exists()
        remedy = f"go on with: horae sweep --resume {directory}" if begun else "choose another --out"
        raise RunError(f"{directory} is not empty; {remedy}")
    return directory
