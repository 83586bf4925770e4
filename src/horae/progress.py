"""Progress bars: round, simulated time, cohorts, accuracy. Nothing where output is not a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from horae.experiment import Experiment
from horae.federate import Standing
from horae.observers import Score
from horae.types import Engine


class Watcher:
    """One bar per arm of a run."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        columns = (
            TextColumn("{task.description:>8}"),
            BarColumn(30),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, disable=quiet or not console.is_terminal)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def arm(self, name: str, experiment: Experiment) -> Bar:
        """A bar for one arm."""
        return Bar(self._progress, self._progress.add_task(name, total=1.0, facts=""), experiment)


class Bar:
    """Shows how much of the budget is spent."""

    def __init__(self, progress: Progress, task: TaskID, experiment: Experiment) -> None:
        self._progress, self._task, self._experiment = progress, task, experiment
        self._accuracy = float("nan")

    def score(self, score: Score) -> None:
        """Show this accuracy from now on."""
        self._accuracy = score.mean

    def say(self, words: str) -> None:
        """Print a remark."""
        console = self._progress.console
        heard = Console(stderr=True) if console.quiet else console  # bars may be quiet, remarks are for somebody
        heard.print(words, markup=False, highlight=False, soft_wrap=True)

    def look(self, standing: Standing, engine: Engine, *, over: bool) -> None:
        """Move the bar."""
        rounds = standing.ledger.participations // self._experiment.participants
        hours = engine.now_s / 3600
        cohorts = len(standing.tree.paths())
        plural = "s" if cohorts > 1 else " "
        facts = f"round {rounds:>4}   {hours:5.1f} h   {cohorts} cohort{plural}   accuracy {self._accuracy:.1%}"
        self._progress.update(self._task, completed=min(standing.spent, 1.0), facts=facts)
