"""`horae stop`: end processes that we wrote down, and no other ones; gently first."""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from horae.errors import HoraeError, RunError
from horae.pids import Process
from horae.sweep import compared, remote, rows
from horae.sweep import plan as plans
from horae.sweep import state as states
from horae.sweep.finding import ALONE, COMPARISON, Target
from horae.sweep.plan import Plan, Run

_BLINK_S = 0.05
_GRACE_S = 10.0  # for a sweep to write down that its runs have ended


@dataclass(frozen=True)
class Ending:
    """What became of one process. what: a sweep, comparison or run. how: stopped, killed or left; why: it was left."""

    what: str
    pid: int
    how: str
    why: str
    again: str

    @property
    def fine(self) -> bool:
        """False where it may run still."""
        return self.how != "left"


Say = Callable[[str], None]


def stop(targets: Sequence[Target], wait_s: float, say: Say = lambda words: None) -> list[Ending]:
    """Ask every process of these to end its round, and kill after `wait_s` what is there still."""
    found: list[Ending] = []
    for target in targets:
        try:
            if target.kind == ALONE:
                found += _alone(target.directory, wait_s)
            elif target.kind == COMPARISON:
                found += _comparison(target.directory, wait_s, say)
            elif target.run is not None:
                found += _one(target.directory, target.run, wait_s)
            else:
                found += _sweep(target.directory, wait_s, say)
        except RunError as error:  # a broken one stops nobody from ending the others
            found.append(Ending(str(target.directory), 0, "left", str(error), ""))
    return found


def _alone(directory: Path, wait_s: float) -> list[Ending]:
    """A run that belongs to no sweep."""
    process, again = rows.there(directory), f"horae run --resume {shlex.quote(str(directory))}"
    return _ended([_Wanted(str(directory), process, again)], wait_s) if process is not None else []


@dataclass(frozen=True)
class _Wanted:
    """A process that should end. asks: False for one that is asked by another one."""

    what: str
    process: Process
    again: str
    asks: bool = True


def _sweep(directory: Path, wait_s: float, say: Say) -> list[Ending]:
    """A whole sweep, whose runs are written down as asked to stop."""
    plan, state = plans.read(directory), states.read(directory)
    working = {run.id: rows.working(state.of(run.id), run.files(directory)[1]) for run in plan.runs}
    again = f"horae sweep --resume {shlex.quote(str(directory))}"
    return _whole(directory, working, again, wait_s, say, lambda run: states.tell(directory, "stop", run=run))


def _comparison(directory: Path, wait_s: float, say: Say) -> list[Ending]:
    """A whole comparison, in its trials or its runs."""
    working = {place.name: rows.there(place.directory) for place in compared.places(directory)}
    return _whole(directory, working, f"horae compare --resume {shlex.quote(str(directory))}", wait_s, say)


def _whole(
    directory: Path, working: Mapping[str, Process | None], again: str, wait_s: float, say: Say,
    tell: Callable[[str], None] = lambda run: None,
) -> list[Ending]:  # fmt: skip
    """A process and its runs: it passes on what it is asked; where it is gone the runs are asked themselves.

    working: the processes of its runs. tell: writes down that a run is asked to stop.
    """
    mine = rows.there(directory)
    if mine is not None and _not_ours(mine):
        return _ended([_Wanted(str(directory), mine, again)], 0)
    runs = [_Wanted(run, one, again, asks=mine is None) for run, one in working.items() if one is not None]
    for run in runs:
        tell(run.what)
    if mine is None:
        return _ended(runs, wait_s)
    if why := _asked(mine):
        return [Ending(str(directory), mine.pid, "left", why, again)]
    say(f"{directory}: its runs end their rounds; what is there after {wait_s:g} s is killed")
    late: list[str] = []
    if not _gone([mine], wait_s):  # once more: it kills its runs, those on other hosts too
        late = [one.what for one in runs if one.process.alive]
        mine.send(signal.SIGTERM)
        _gone([mine], _GRACE_S)
    found = _ended([*runs, _Wanted(str(directory), mine, again, asks=False)], 0)
    return [replace(one, how="killed") if one.what in late else one for one in found]


def _one(directory: Path, run: Run, wait_s: float) -> list[Ending]:
    """One run of a sweep, here or on another host."""
    plan, story = plans.read(directory), states.read(directory).of(run.id)
    process = rows.working(story, run.files(directory)[1])
    if process is None:
        return []
    states.tell(directory, "stop", run=run.id)
    again = f"horae sweep --resume {shlex.quote(str(directory))}"
    if story.begun is not None and story.begun.host:
        how, why = _asked_there(plan, run, story.begun.host, wait_s)
        (ending,) = _ended([_Wanted(run.id, process, again, asks=not how)], _GRACE_S)
        if how:
            return [replace(ending, how=how)]
        why = f"{why}; the ssh to it was ended, at which it ends its round"  # there is no other way to it
        return [replace(ending, how="left", why=why)]
    return _ended([_Wanted(run.id, process, again)], wait_s)


def _asked_there(plan: Plan, run: Run, host: str, wait_s: float) -> tuple[str, str]:
    try:
        how, why = remote.stop(plan.host(host), plan.place(run), wait_s)
    except HoraeError as error:
        return "", str(error)
    return how, plan.mask.hide(why)


def _ended(wanted: Sequence[_Wanted], wait_s: float) -> list[Ending]:
    """Ask, wait, kill; all of them were there a moment ago."""
    found, mine = [], []
    for one in wanted:
        why = _not_ours(one.process) or (_asked(one.process) if one.asks else "")
        if why:
            found.append(Ending(one.what, one.process.pid, "left", why, one.again))
        else:
            mine.append(one)
    _gone([one.process for one in mine], wait_s)
    for one in mine:
        killed = one.process.alive and one.process.send(signal.SIGKILL, group=True)
        found.append(Ending(one.what, one.process.pid, "killed" if killed else "stopped", "", one.again))
    return found


def _asked(process: Process) -> str:
    """Ask a process to stop; why that cannot be done, or nothing."""
    try:
        process.send(signal.SIGTERM)
    except PermissionError:
        return f"process {process.pid} belongs to another user"
    return ""


def _gone(processes: Sequence[Process], wait_s: float) -> bool:
    """Wait for them; False if one is there still."""
    until = time.monotonic() + wait_s
    while any(process.alive for process in processes):
        if time.monotonic() >= until:
            return False
        time.sleep(_BLINK_S)
    return True


def _not_ours(process: Process) -> str:
    """Why a process is not ended from here, or nothing."""
    if not process.near:
        return f"it is process {process.pid} of {process.host}; say it there"
    return "" if process.gentle else f"process {process.pid} is a Python that runs horae within; end it there"
