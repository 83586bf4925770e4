"""Progress on a terminal: a bar for every running job and one for all; nothing anywhere else."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from horae.compare.processes import Job
from horae.federate import Budget

_EVERY_S = 0.5
_WIDEST = 30  # letters of an arm's name
_ROUND = '{"event":"round"'  # how such a line begins


class Tail:
    """How much of its budget a run has spent, from what its log has gained since the last look."""

    def __init__(self, file: Path, budget: Budget) -> None:
        self._file, self._budget = file, budget
        self._forget()

    def share(self) -> float:
        """Between 0 and 1. Whatever cannot be read yet counts at a later look."""
        try:
            if self._file.stat().st_size < self._offset:  # a run that goes on cuts its log back to a checkpoint
                self._forget()
            with self._file.open("rb") as log:
                log.seek(self._offset)
                fresh = log.read()
        except OSError:
            return 0.0
        whole, newline, _ = fresh.rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        for line in whole.split(b"\n"):
            self._count(line.decode(errors="replace"))
        return min(1.0, self._budget.spent(self._participations, self._at_s, self._nbytes))

    def _count(self, line: str) -> None:
        if not line.startswith(_ROUND):
            return
        try:
            event = json.loads(line)
            self._participations += len(event["clients"])
            self._at_s = event["at_s"]
            self._nbytes += event["nbytes_up"] + event["nbytes_down"]
        except (ValueError, KeyError, TypeError):  # a bar is no reason to end
            return

    def _forget(self) -> None:
        self._offset, self._participations, self._at_s, self._nbytes = 0, 0, 0.0, 0


class Bars:
    """What `carry_out` tells of its running jobs, drawn."""

    def __init__(
        self, console: Console, budgets: Mapping[Job, Budget], finished: int, *, quiet: bool, what: str = "runs"
    ) -> None:
        """budgets: of every job to come. finished: how many there are already. what: they are called."""
        name = TextColumn("{task.description}", markup=False)  # [0, 90] is no style
        columns = (name, BarColumn(24), TextColumn("{task.percentage:>3.0f} %"))
        self._off = quiet or not console.is_terminal or not budgets
        self._progress = Progress(*columns, TimeRemainingColumn(), console=console, disable=self._off)
        self._budgets, self._tasks, self._finished = budgets, dict[Job, tuple[TaskID, Tail]](), finished
        self._all, self._next, self._what = len(budgets) + finished, 0.0, what
        self._total = self._progress.add_task("", total=self._all)
        self._width = max((len(_title(job)) for job in budgets), default=0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def say(self, words: str) -> None:
        """Print a remark."""
        self._progress.console.print(words, markup=False, highlight=False, soft_wrap=True)

    def look(self, running: Sequence[Job]) -> None:
        """Move the bars, if it is time to."""
        if self._off or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_S
        for job in self._tasks.keys() - set(running):
            self._progress.remove_task(self._tasks.pop(job)[0])
            self._finished += 1
        for job in running:
            if job not in self._tasks:
                task = self._progress.add_task(_title(job).ljust(self._width), total=1.0)
                self._tasks[job] = task, Tail(job.directory / "events.jsonl", self._budgets[job])
        shares = {task: tail.share() for task, tail in self._tasks.values()}
        for task, share in shares.items():
            self._progress.update(task, completed=share)
        words = f"{self._finished} of {self._all} {self._what}".ljust(self._width)
        self._progress.update(self._total, completed=self._finished + sum(shares.values()), description=words)


def _title(job: Job) -> str:
    name = job.arm if len(job.arm) <= _WIDEST else job.arm[: _WIDEST - 1] + "…"
    return f"{name} · seed {job.seed}"


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
