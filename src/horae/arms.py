"""One arm of a run: an experiment trained from beginning to end, or from its last checkpoint on."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path as File
from typing import Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from horae import __version__, data_planes
from horae.checkpoint import Checkpoints, Saved, read_final, read_last
from horae.endpoint import Clients, Field, engine_of, facts_of
from horae.engines.simulation import World
from horae.errors import RunError
from horae.experiment import Experiment, name_of
from horae.federate import Observer, Standing, federate
from horae.files import write_whole
from horae.observers import Evaluator, Score
from horae.population.harm import Harm
from horae.report.masks import Masks
from horae.report.recorder import EventLog, read
from horae.report.summary import summarise
from horae.reuse import begin_in
from horae.supervised.placing import aggregator_of
from horae.trackers import Telling
from horae.types import CohortTree, Examine, Metered, Plan

Stop = Callable[[], bool]  # asked after every round; True ends the run there


class Watcher(Observer, Protocol):
    """An observer that is also told the scores and remarks: a progress bar, say."""

    def score(self, score: Score) -> None:
        """Test accuracy on the way."""

    def say(self, words: str) -> None:
        """Something that the user should know."""


Watch = Callable[[str, Experiment], Watcher]  # makes one for each arm, by the name of its clustering


@dataclass(frozen=True)
class Arm:
    """One finished training: its cohorts, its score events over time, and its summary."""

    tree: CohortTree
    scores: list[dict[str, Any]]
    summary: dict[str, Any]


def train(
    experiment: Experiment,
    world: World,
    directory: File,
    watch: Watch | None = None,
    stop: Stop = lambda: False,
    data_root: File | None = None,
    field: Field | None = None,
) -> Arm:
    """Run the loop in this directory, leaving events.jsonl, summary.json and the final checkpoint.

    An arm that was begun there goes on from its last checkpoint, one that has ended is read. Errors: RunError where
    the directory holds another experiment's arm, Stopped when `stop` said so.
    """
    store, identity = directory / "checkpoints", _identity(experiment, world)
    if (directory / "summary.json").exists():
        with _telling(experiment, directory, None):  # what a tracker has not been told yet
            scores = [event for event in read(directory / "events.jsonl") if event["event"] == "score"]
        return Arm(read_final(store, identity).tree, scores, read_summary(directory))
    watcher = watch(experiment.clustered, experiment) if watch else None
    masks = Masks(world.trainer, experiment.parts["channels"])
    telling = _telling(experiment, directory, watcher)
    with telling, EventLog(directory / "events.jsonl", world.population, masks) as log:
        plan = experiment.plan()
        with ExitStack() as stack:
            stack.callback(data_planes.close, plan.data_plane)
            plan = replace(plan, aggregator=stack.enter_context(aggregator_of(experiment.site, plan)))
            engine = stack.enter_context(engine_of(experiment, plan, world, data_root, field))
            standing, checkpoints = _train(
                experiment, plan, world, engine, log, (store, identity), (watcher, telling), stop
            )
            summary = _summary(experiment, world, log, standing, checkpoints)
            checkpoints.close(standing)  # what is in flight is in it, so the plane is still there
        scores = log.scores
    write_json(directory / "summary.json", summary)
    checkpoints.clear()
    return Arm(standing.tree, scores, summary)


def read_summary(directory: File) -> dict[str, Any]:
    """A finished run's summary.json. Errors: RunError."""
    try:
        table = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {directory / 'summary.json'}: {error}") from None
    if not isinstance(table, dict):
        raise RunError(f"{directory / 'summary.json'} should hold one JSON object")
    return table


def write_json(file: File, table: dict[str, Any]) -> None:
    """A table as an indented JSON file. Errors: RunError."""
    write_whole(file, json.dumps(table, indent=2, allow_nan=False) + "\n")


def _train(
    experiment: Experiment,
    plan: Plan,
    world: World,
    engine: Clients,
    log: EventLog,
    kept: tuple[File, dict[str, Any]],
    onlookers: tuple[Watcher | None, Telling],
    stop: Stop,
) -> tuple[Standing, Checkpoints]:
    """From the last checkpoint, or from the beginning, to the end of the budget."""
    people, trainer, (watcher, telling) = world.population, world.trainer, onlookers

    def note(score: Score) -> None:
        score = honest(score, world.harm, experiment.seed)
        log.score(score)
        if watcher:
            watcher.score(score)

    period = experiment.evaluation.every * experiment.participants
    evaluator = Evaluator(people.clients, period, experiment.seed, note, experiment.evaluation.clients)
    parts: dict[str, Saved] = {"engine": engine, "log": log, "evaluator": evaluator}
    found = read_last(*kept, check=lambda states: log.check(states["log"]))
    model = (trainer.initial_params, trainer.initial_buffers)
    begin: Standing | tuple[Any, Any] = model
    if found:
        begin = found.standing
        for name, part in parts.items():
            part.restore(found.parts[name])
        if watcher:
            for words in found.skipped:
                watcher.say(f"{words}; going on from an earlier checkpoint")
    else:
        if experiment.cohorts_from:
            begin = begin_in(experiment.cohorts_from, plan, model, engine, people.clients)
        log.restore()
        log.write("run", **_opening(experiment, world))
    checkpoints = Checkpoints(*kept, parts, stop, found.wall_s if found else 0.0)
    observers: list[Observer] = [evaluator, *([watcher] if watcher else []), telling, checkpoints]
    with threadpool_limits(limits=1):  # the same bits however many cores there are
        if isinstance(begin, Standing) and not found:
            for observer in observers:
                observer.look(begin, engine, over=False)
        standing = federate(plan, begin, engine, log, observers)
    log.write("metrics", **_examined(engine, log.last, standing, experiment))
    log.end(
        standing.ledger,
        "budget spent" if standing.spent >= 1 else f"nobody came for {plan.patience_s / 86400:.0f} days",
    )
    return standing, checkpoints


def _telling(experiment: Experiment, directory: File, watcher: Watcher | None) -> Telling:
    """What the trackers are told of an arm, and by whom the user hears of one that fails."""
    named = [(name_of("trackers", tracker), tracker) for tracker in experiment.trackers]
    facts = {"name": experiment.name, "clustering": experiment.clustered, "seed": experiment.seed}
    say = watcher.say if watcher else lambda words: print(words, file=sys.stderr)
    return Telling(named, directory, {**facts, "experiment": experiment.untold().table()}, say)


def _examined(engine: Clients, last: Score | None, standing: Standing, experiment: Experiment) -> dict[str, float]:
    """Numbers beside accuracy, over the clients that the last score is about."""
    assert last is not None  # every run ends with a score
    scored = ~np.isnan(last.accuracy)
    models = [standing.tree[path] for path in last.leaves]
    work = Examine(
        last.clients[scored], last.leaves, tuple(c.params for c in models), tuple(c.buffers for c in models),
        last.home[scored], experiment.evaluation.metrics,
    )  # fmt: skip
    found: dict[str, float] = engine.ask(work, charge=False)
    return found


def honest(score: Score, harm: Harm, seed: int) -> Score:
    """The same score without the accuracy of clients that are poisoned or lie: what they get is not the aim."""
    if not harm.on:
        return score
    return replace(score, accuracy=np.where(harm.honest(score.clients, seed), score.accuracy, np.nan))


def _summary(
    experiment: Experiment, world: World, log: EventLog, standing: Standing, checkpoints: Checkpoints
) -> dict[str, Any]:
    target, last = experiment.evaluation.target_accuracy, log.last
    numbers = summarise(log, standing.ledger, world.population.groups, target, last.at_s if last else 0.0)
    return numbers | {
        "name": experiment.name, "clustering": experiment.clustered, "seed": experiment.seed,
        "train_wall_s": round(checkpoints.wall_s, 3), "horae_version": __version__,
        **_harm(world, experiment.seed), **_privacy(experiment, max(log.visits.values(), default=0)),
    }  # fmt: skip


def _opening(experiment: Experiment, world: World) -> dict[str, Any]:
    """The log's first event."""
    people, trainer = world.population, world.trainer
    return {
        "name": experiment.name, "horae": __version__, "seed": experiment.seed, "components": experiment.names(),
        "clients": people.clients, "participants": experiment.participants, "params": trainer.n_params,
        "flops_per_sample": trainer.flops_per_sample, "trainer": trainer.path_name, "population": people.facts(),
        "world": _fingerprints(world), **_harm(world, experiment.seed), **_privacy(experiment),
        **facts_of(experiment.site),
    }  # fmt: skip


def _harm(world: World, seed: int) -> dict[str, Any]:
    """How many clients are harmed, and how; nothing where nobody is."""
    return {"harm": world.harm.counts(world.population.clients, seed)} if world.harm.on else {}


def _privacy(experiment: Experiment, visits: int | None = None) -> dict[str, Any]:
    """What the parts that add noise promise, and, at the end, what the client that took part most often has spent of
    it; nothing where there is no such part.
    """
    metered = [part for part in experiment.noisy if isinstance(part, Metered)]
    told = [part.spent(part.visits if visits is None else visits) for part in metered]
    return {"privacy": told} if told else {}


def _identity(experiment: Experiment, world: World) -> dict[str, Any]:
    """What must be the same for a run to go on: the experiment, the clients' data, the first model."""
    table = {key: value for key, value in experiment.untold().table().items() if key != "site"}
    return {**table, "data": _fingerprints(world), "trainer": world.trainer.path_name}


def _fingerprints(world: World) -> dict[str, str]:
    """Short hashes of who holds which samples and of the first model: arms that share them are paired."""
    people, trainer = world.population, world.trainer
    some = people.x[:: max(1, len(people.x) // 4096)]
    return {
        "clients": _hash(some, people.y, *people.held),
        "model": _hash(trainer.initial_params, trainer.initial_buffers),
    }


def _hash(*arrays: np.ndarray[Any, Any]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
