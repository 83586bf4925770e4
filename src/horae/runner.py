"""Carry out an experiment and leave a run directory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from datetime import datetime
from pathlib import Path as File
from typing import Any, Protocol

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from horae import __version__
from horae.engines.simulation import Simulation, World
from horae.errors import RunError
from horae.experiment import FAMILIES, Experiment, Given, load
from horae.federate import Observer, federate
from horae.ledger import Ledger
from horae.observers import Evaluator, Score
from horae.population import Population
from horae.report.recorder import EventLog
from horae.report.summary import summarise
from horae.settings import dumps
from horae.types import CohortTree, Engine, Floats, Path


class Watcher(Observer, Protocol):
    """An observer that is also told the scores: a progress bar, say."""

    def score(self, score: Score) -> None:
        """Test accuracy on the way."""


Watch = Callable[[str, Experiment], Watcher]  # makes one for each arm, by the name of its clustering


@dataclass(frozen=True)
class Arm:
    """One finished training: its cohorts, its scores over time, and its summary."""

    tree: CohortTree
    scores: list[Score]
    summary: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """A finished run. Every field of the summary is an attribute: `result.accuracy`, `result.cohorts`, ...

    tree: the cohorts. baseline: the arm it was compared with, or None. directory: where the run lies.
    """

    summary: dict[str, Any]
    tree: CohortTree
    scores: list[Score]
    baseline: Arm | None
    directory: File

    def __getattr__(self, name: str) -> Any:
        if name in (summary := object.__getattribute__(self, "summary")):
            return summary[name]
        raise AttributeError(f"a result has no {name!r}; it has {', '.join(summary)}")

    @property
    def models(self) -> dict[Path, Floats]:
        """Each leaf's flat parameters."""
        return {cohort.path: cohort.params for cohort in self.tree.leaves()}

    @property
    def curves(self) -> dict[str, np.ndarray[Any, Any]]:
        """Arrays over the scores: at_s, participations, nbytes, accuracy, worst10, best10, cohorts."""
        rows = [(s.at_s, s.participations, s.nbytes, s.mean, *s.tails, len(s.leaves)) for s in self.scores]
        names = ("at_s", "participations", "nbytes", "accuracy", "worst10", "best10", "cohorts")
        return dict(zip(names, np.array(rows).T, strict=True))


def run(
    source: str | File | Mapping[str, Any] | Experiment | None = None,
    *,
    out: str | File | None = None,
    data_root: str | File | None = None,
    changes: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
    **fields: Any,
) -> Result:
    """Run an experiment: "demo", a TOML file, a plain table or an Experiment.

    fields: changes by name, each a value, a member's name, a table, or an object:
    `population=Population.from_arrays(...)`, `clustering="single"`, `model=torch.nn.Linear(...)`, `seed=3`. changes:
    dotted ones, {"clustering.gamma": 0.3}. out: the run directory (default runs/<name>-<time>); data_root: where data
    sets lie. watch: makes an observer for each arm.
    """
    people = fields.pop("population") if isinstance(fields.get("population"), Population) else None
    module = fields.pop("model") if isinstance(fields.get("model"), torch.nn.Module) else None
    if people is not None:
        if source in (None, "demo") or (isinstance(source, Mapping) and "name" not in source):  # else it has a name
            fields.setdefault("name", people.name.replace("/", "-"))
        fields["population"] = Given(f"{people.name}: {people.clients} clients given from Python")
    if module is not None:
        fields["model"] = Given(f"{type(module).__name__} given from Python")
    experiment = _assemble(source, {**(changes or {})}, fields)
    root = None if data_root is None else File(data_root)
    world = experiment.world(root, people, module)
    directory = _make_directory(experiment, out)
    started = time.perf_counter()
    (directory / "experiment.toml").write_text(dumps(experiment.table()), encoding="utf-8")
    main = train(experiment, world, directory, watch)
    other = None
    if experiment.baseline not in ("none", experiment.clustered):
        rival = experiment.with_clustering(experiment.baseline)
        (directory / "baseline").mkdir()
        (directory / "baseline" / "experiment.toml").write_text(dumps(rival.table()), encoding="utf-8")
        other = train(rival, world, directory / "baseline", watch)
    summary = {**main.summary, "run_wall_s": round(time.perf_counter() - started, 3), "directory": str(directory)}
    if other is not None:
        shared: tuple[str, ...] = ("accuracy", "accuracy_worst10", "accuracy_variance", "cohorts")
        shared += ("participations", "time_to_accuracy_s", "simulated_s")
        summary["baseline"] = {"clustering": experiment.baseline, **{name: other.summary[name] for name in shared}}
        summary["gain"] = summary["accuracy"] - other.summary["accuracy"]
    _write_json(directory / "summary.json", summary)
    from horae.report.html import write_report  # matplotlib takes a second to load, and nothing before needs it

    write_report(directory)
    return Result(summary, main.tree, main.scores, other, directory)


def train(experiment: Experiment, world: World, directory: File, watch: Watch | None = None) -> Arm:
    """One arm: run the loop, write events.jsonl and summary.json into the directory."""
    started = time.perf_counter()
    plan, people, trainer = experiment.plan(), world.population, world.trainer
    engine = Simulation(plan, world, experiment.engine)
    with EventLog(directory / "events.jsonl", people.groups) as log:
        log.write(
            "run", name=experiment.name, horae=__version__, seed=experiment.seed, components=experiment.names(),
            clients=people.clients, participants=experiment.participants, params=trainer.n_params,
            flops_per_sample=trainer.flops_per_sample, trainer=trainer.path_name, population=people.facts(),
        )  # fmt: skip
        books, watcher = Books(), watch(experiment.clustered, experiment) if watch else None

        def note(score: Score) -> None:
            log.score(score)
            if watcher:
                watcher.score(score)

        period = experiment.evaluation.every * experiment.participants
        evaluator = Evaluator(people.clients, period, experiment.seed, note, experiment.evaluation.clients)
        observers: list[Observer] = [evaluator, books, *([watcher] if watcher else [])]
        with threadpool_limits(limits=1):  # the same bits however many cores there are
            tree = federate(plan, (trainer.initial_params, trainer.initial_buffers), engine, log, observers)
        used = books.ledger
        spent = plan.budget.spent(used.participations, engine.now_s, used.nbytes_up + used.nbytes_down)
        reason = "budget spent" if spent >= 1 else f"nobody came for {plan.patience_s / 86400:.0f} days"
        log.end(books.ledger, reason)
        summary = summarise(log, books.ledger, people.groups, experiment.evaluation.target_accuracy, engine.now_s)
    summary |= {
        "name": experiment.name, "clustering": experiment.clustered, "seed": experiment.seed,
        "train_wall_s": round(time.perf_counter() - started, 3), "horae_version": __version__,
    }  # fmt: skip
    _write_json(directory / "summary.json", summary)
    return Arm(tree, log.scores, summary)


class Books:
    """Keeps hold of the loop's ledger."""

    def __init__(self) -> None:
        self.ledger = Ledger()

    def look(self, tree: CohortTree, engine: Engine, ledger: Ledger, *, over: bool) -> None:
        """The ledger as it stands."""
        self.ledger = ledger


def _assemble(source: Any, changes: dict[str, Any], fields: Mapping[str, Any]) -> Experiment:
    """An experiment with Python's way of naming things translated to the file's."""
    objects = {}
    for key, value in fields.items():
        if is_dataclass(value) and not isinstance(value, type):
            objects[key] = value
        elif key in FAMILIES and isinstance(value, str):
            changes[f"{key}.name"] = value
        elif isinstance(value, Mapping):
            changes |= {f"{key}.{name}": item for name, item in value.items()}
        else:
            changes[key] = value
    experiment = source if isinstance(source, Experiment) else load(source, changes)
    if isinstance(source, Experiment) and changes:
        experiment = load(source.table(), changes)
    return experiment.with_objects(objects)


def _make_directory(experiment: Experiment, out: str | File | None) -> File:
    """A fresh run directory. Errors: RunError if it holds something already, or cannot be made."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    directory = File(out) if out is not None else _unused(File("runs") / f"{experiment.name}-{stamp}")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise RunError(f"{directory} is not empty; choose another --out, or remove it")
    except OSError as error:
        raise RunError(f"cannot write to {directory}: {error.strerror}; choose another --out") from None
    return directory


def _unused(directory: File) -> File:
    """The directory's name, or the first numbered one that is free."""
    names = (directory.with_name(f"{directory.name}-{n}") for n in range(2, 1000))
    return directory if not directory.exists() else next(name for name in names if not name.exists())


def _write_json(file: File, table: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(table, indent=2, allow_nan=False) + "\n", encoding="utf-8")
