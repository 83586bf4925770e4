"""How long a run will take and how much memory it needs, from a short calibration on the actual trainer."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from horae.arms import train
from horae.endpoint import check_site
from horae.engines.simulation import World
from horae.errors import RunError, Stopped
from horae.experiment import Experiment
from horae.families import check_trackers
from horae.federate import Standing
from horae.files import check_writable, is_free, write_whole
from horae.observers import ENOUGH, MOST, Evaluator, Score
from horae.reuse import reusable
from horae.settings import dumps
from horae.training import Work
from horae.types import Engine

HANDFUL, TESTED = 4, 256  # clients that are trained, and tested, one after the other, before anything else
PATIENCE_S, FEWEST = 2.5, 3  # rounds of an arm are carried out for so long, and at least so many
SLOW_S = 6.0  # a round that is expected to last longer is not carried out


@dataclass(frozen=True)
class Arm:
    """One arm's estimate. seconds: None where the budget says nothing about the number of participations. rounds:
    those that were carried out; 0 where single clients were extrapolated. per_participation_s: one client's turn.
    """

    clustering: str
    seconds: float | None
    rounds: int
    per_participation_s: float


@dataclass(frozen=True)
class Estimate:
    """set_up_s: loading, clients and trainer; report_s: the report's page; both as measured. arms: see `Arm`. seconds:
    all together, or None. memory_bytes: the most that this process held. calibration_s: how long estimating took.
    """

    set_up_s: float
    report_s: float
    arms: tuple[Arm, ...]
    seconds: float | None
    memory_bytes: int
    calibration_s: float


def estimate(
    experiment: Experiment,
    data_root: Path | None = None,
    out: Path | None = None,
    workers: int = 1,
    pool: str = "local",
    loading_s: float = 0.0,
) -> Estimate | None:
    """Set the run up as `run` would, with its errors; try a little of it in a temporary directory. None: it would train
    on somebody else's workers, which are not started for this. loading_s: what the process has taken until now, as the
    run's will. Errors: HoraeError.
    """
    began = time.perf_counter()
    if out is not None:
        check_writable(out)
        if not is_free(out):
            raise RunError(f"{out} is not empty; choose another --out, or go on with it by --resume")
    check_site(experiment)
    check_trackers(experiment.trackers)
    experiment = experiment.untold()
    if experiment.site.executor or experiment.site.aggregation != "here":
        return None
    world = experiment.world(data_root, None, None, workers, pool)
    if experiment.cohorts_from:
        reusable(experiment.cohorts_from, world.population.clients, experiment.participants)
    with closing(world.trainer), tempfile.TemporaryDirectory(prefix="horae-estimate-") as name:
        set_up_s, place = time.perf_counter() - began + loading_s, Path(name)
        arms = [_arm(experiment, world, place, data_root)]
        if experiment.baseline not in ("none", experiment.clustered):
            rival = experiment.with_clustering(experiment.baseline)
            arms.append(_arm(rival, world, place / "baseline", data_root))
        report_s = _report(place)
    known = [arm.seconds for arm in arms if arm.seconds is not None]
    whole = set_up_s + sum(known) + report_s if len(known) == len(arms) else None
    return Estimate(set_up_s, report_s, tuple(arms), whole, peak_bytes(), time.perf_counter() - began)


def peak_bytes() -> int:
    """The most memory that this process has held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


class _Enough:
    """Looks on as the first rounds are carried out, notes when and how far, and says when that is enough."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.began, self.paused = time.perf_counter(), 0.0
        self.marks: list[tuple[float, float, int]] = []  # seconds without scoring, share of the budget, participations
        self.scoring_s, self._evaluator, self._scored = 0.0, evaluator, 0

    def score(self, score: Score) -> None:
        """Count a score."""
        self._scored += 1

    def say(self, words: str) -> None:
        """Nobody listens."""

    def look(self, standing: Standing, engine: Engine, *, over: bool) -> None:
        """After a round; before the first, a score is timed."""
        now, scored_s = time.perf_counter(), self.paused
        if not self.marks:
            self._evaluator.score(standing, engine, self._evaluator.some(self._evaluator.sample or ENOUGH))
            self.scoring_s = time.perf_counter() - now
            self.paused += self.scoring_s
        without_s = now - self.began - scored_s - self._scored * self.scoring_s
        self.marks.append((without_s, standing.spent, int(standing.ledger.participations)))

    def asked(self) -> bool:
        """Whether to stop."""
        spent_s = time.perf_counter() - self.began
        return len(self.marks) > FEWEST and spent_s - self.paused > PATIENCE_S

    @property
    def rate(self) -> tuple[float, float]:
        """Seconds before the first round, and for the whole budget after that. The first round, which warms up, is
        left out where there are others.
        """
        first = self.marks[min(1, len(self.marks) - 2)]
        last = self.marks[-1]
        return max(self.marks[0][0], 0.0), max(last[0] - first[0], 0.0) / max(last[1] - first[1], 1e-9)


def _report(place: Path) -> float:
    """Seconds for the page about what was tried; where nothing was, for loading what draws it."""
    began = time.perf_counter()
    from horae.report.html import write_report

    if (place / "events.jsonl").exists():
        write_report(place)
    return time.perf_counter() - began


def _arm(experiment: Experiment, world: World, place: Path, data_root: Path | None) -> Arm:
    """One arm: from its first rounds, or from a handful of clients where a round would be too long."""
    one_s, test_s = _handful(world)
    if one_s * experiment.participants * experiment.overcommit > SLOW_S:
        return _extrapolated(experiment, world, one_s, test_s)
    evaluator = Evaluator(
        world.population.clients, 1, experiment.seed, lambda score: None, experiment.evaluation.clients
    )
    watch = _Enough(evaluator)
    place.mkdir(exist_ok=True)
    write_whole(place / "experiment.toml", dumps(experiment.table()))
    with suppress(Stopped):
        train(experiment, world, place, lambda *_: watch, watch.asked, data_root)
    first_s, rounds_s = watch.rate
    spent, took = watch.marks[-1][1], watch.marks[-1][2]
    whole = took / spent if spent else 0.0
    scored_s = _scores(experiment, whole) * watch.scoring_s + _last(world, experiment) * watch.scoring_s
    seconds = first_s + rounds_s + scored_s
    return Arm(experiment.clustered, seconds, len(watch.marks) - 1, rounds_s / max(whole, 1.0))


def _handful(world: World) -> tuple[float, float]:
    """Seconds for one client's training and for one client's test, after a warm-up."""
    people, trainer = world.population, world.trainer
    some = np.unique(np.linspace(0, people.clients - 1, HANDFUL).astype(np.int64))
    work = Work(trainer.initial_params, trainer.initial_buffers, some, people.train.rows(some), 0)
    train_s = []
    for part in (slice(0, 1), slice(0, some.size)):
        began = time.perf_counter()
        trainer.train(work.part(part))
        train_s.append((time.perf_counter() - began) / len(work.clients[part]))
    several = np.unique(np.linspace(0, people.clients - 1, TESTED).astype(np.int64))
    rows = people.test.rows(several)
    began = time.perf_counter()
    trainer.evaluate(trainer.initial_params, trainer.initial_buffers, rows)
    return min(train_s), (time.perf_counter() - began) / several.size


def _extrapolated(experiment: Experiment, world: World, one_s: float, test_s: float) -> Arm:
    """From single clients alone. Reading: a model goes down and an update of as many bytes goes up."""
    budget = experiment.budget
    whole = budget.participations or budget.bytes / (8.0 * max(world.trainer.n_params, 1))
    if not whole:
        return Arm(experiment.clustered, None, 0, one_s)
    way = min(world.population.clients, experiment.evaluation.clients or ENOUGH)
    end = min(world.population.clients, MOST)
    seconds = whole * one_s + _scores(experiment, whole) * way * test_s + end * test_s
    return Arm(experiment.clustered, seconds, 0, one_s)


def _scores(experiment: Experiment, participations: float) -> float:
    """How often clients are scored on the way, the beginning included."""
    return 1 + participations // (experiment.evaluation.every * experiment.participants)


def _last(world: World, experiment: Experiment) -> float:
    """The last score, of everybody, in scores on the way."""
    way = min(world.population.clients, experiment.evaluation.clients or ENOUGH)
    return min(world.population.clients, MOST) / way


def facts(found: Estimate) -> dict[str, Any]:
    """In plain data, for `--json`."""
    arms = [{**vars(arm), "seconds": rounded(arm.seconds)} for arm in found.arms]
    return {**vars(found), "seconds": rounded(found.seconds), "arms": arms}


def rounded(seconds: float | None) -> float | None:
    """To tenths; more would be a lie."""
    return None if seconds is None else round(seconds, 1)
