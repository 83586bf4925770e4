"""Carry out an experiment and leave a run directory; go on with one that was stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, is_dataclass, replace
from datetime import datetime
from pathlib import Path as File
from typing import Any

import numpy as np
import torch

from horae.arms import Arm, Stop, Watch, train, write_json
from horae.endpoint import Endpoints, Field, check_site
from horae.engines.simulation import World
from horae.errors import ConfigError, NoRoom, RunError, Stopped, require
from horae.experiment import FAMILIES, Experiment, Given, load
from horae.families import check_trackers
from horae.files import check_writable, claimed, is_free, write_whole
from horae.pids import recorded
from horae.population import Population
from horae.reuse import reusable
from horae.settings import differences, dumps
from horae.types import CohortTree, Floats, Path

SHARED = (
    "accuracy", "accuracy_worst10", "accuracy_variance", "cohorts", "participations", "time_to_accuracy_s",
    "simulated_s", "accuracy_global", "rmse", "perplexity", "top5", "f1", "precision", "recall", "sparsity",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """A finished run. Every field of the summary is an attribute: `result.accuracy`, `result.cohorts`, ...

    tree: the cohorts. scores: the score events. baseline: the arm it was compared with, or None. directory: where the
    run lies.
    """

    summary: dict[str, Any]
    tree: CohortTree
    scores: list[dict[str, Any]]
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
        names = ("at_s", "participations", "nbytes", "accuracy", "worst10", "best10")
        columns = {name: np.array([score[name] for score in self.scores], np.float64) for name in names}
        return columns | {"cohorts": np.array([len(score["cohorts"]) for score in self.scores], np.float64)}


def run(
    source: str | File | Mapping[str, Any] | Experiment | None = None,
    *,
    out: str | File | None = None,
    resume: str | File | None = None,
    data_root: str | File | None = None,
    changes: Mapping[str, Any] | None = None,
    workers: int = 1,
    pool: str = "local",
    executor: str = "",
    field: Field | None = None,
    watch: Watch | None = None,
    stop: Stop = lambda: False,
    **fields: Any,
) -> Result:
    """Run an experiment: "demo", a TOML file, a plain table or an Experiment.

    fields: changes by name, each a value, a member's name, a table, or an object:
    `population=Population.from_arrays(...)`, `clustering="single"`, `model=torch.nn.Linear(...)`, `seed=3`. changes:
    dotted ones, {"clustering.gamma": 0.3}. out: the run directory (default runs/<name>-<time>). resume: a directory in
    which to go on with what was stopped there; what is given beside it must be what was given then. data_root: where
    data sets lie. workers: processes that train clients side by side, which changes no bit of the result; pool: whose,
    "local", "ray", "parsl" or "package.module:function" (see `Trainer`). executor: whose workers train, on the wall
    clock, in place of the simulation (see `Site`); `workers` are then its. field: clients who were met elsewhere, with
    data of their own (`horae.flower`). watch: makes an observer for each arm. stop:
    asked after every round; True ends the run with Stopped, and `resume` goes on.
    Errors: HoraeError.
    """
    require(1 <= workers <= 1024, "workers", "be in [1, 1024]", workers)
    changes = {**(changes or {}), **({"site.executor": executor} if executor else {})}
    people, module = _given(source, fields)
    if resume is None:
        experiment = _assemble(source, changes, fields)
        directory = _fresh_directory(experiment, out)
    else:
        experiment, directory = _begun(source, changes, fields, resume, out)
    if experiment.site.executor and workers > 1:
        experiment, workers = replace(experiment, site=replace(experiment.site, workers=workers)), 1
    check_site(experiment)
    check_trackers(experiment.trackers)
    field = _field(experiment, field, people)
    root = None if data_root is None else File(data_root)
    world = experiment.world(root, people if field is None else field.people, module, workers, pool)
    if experiment.cohorts_from:
        reusable(experiment.cohorts_from, world.population.clients, experiment.participants)
    with claimed(directory), recorded(directory), closing(world.trainer), _going_on(directory):
        if resume is None and not is_free(directory):  # somebody was quicker
            raise RunError(f"{directory} is not empty; choose another --out")
        return _carry_out(experiment, world, directory, watch, stop, root, field)


def _given(source: Any, fields: dict[str, Any]) -> tuple[Population | None, torch.nn.Module | None]:
    """A population and a module that are objects of Python's, with a name for each left in their place."""
    people = fields.pop("population") if isinstance(fields.get("population"), Population) else None
    module = fields.pop("model") if isinstance(fields.get("model"), torch.nn.Module) else None
    if people is not None:
        if source in (None, "demo") or (isinstance(source, Mapping) and "name" not in source):  # else it has a name
            fields.setdefault("name", people.name.replace("/", "-"))
        fields["population"] = Given(f"{people.name}: {people.clients} clients given from Python")
    if module is not None:
        fields["model"] = Given(f"{type(module).__name__} given from Python")
    return people, module


def _field(experiment: Experiment, field: Field | None, people: Population | None) -> Field | None:
    """Where clients are met who have data of their own; None in the simulation and for an executor's workers."""
    if experiment.site.endpoints:
        require(people is None, "population", "be the endpoints' with [[site.endpoints]]", "one given from Python")
        field = Endpoints(experiment)
    inside = experiment.site.executor != "flower" or field is not None
    remedy = "horae new flower DIR, flwr run DIR"
    require(inside, "site.executor", "be another outside of a ServerApp", "flower", remedy)
    return field


@contextmanager
def _going_on(directory: File) -> Iterator[None]:
    """Say of a run that ends early how to go on with it."""
    try:
        yield
    except Stopped as why:
        raise Stopped(f"{why}; go on with: horae run --resume {directory}") from None
    except NoRoom as why:
        raise NoRoom(f"{why}, then go on with: horae run --resume {directory}") from None


def _carry_out(
    experiment: Experiment, world: World, directory: File, watch: Watch | None, stop: Stop, root: File | None,
    field: Field | None,
) -> Result:  # fmt: skip
    """Both arms, whatever is left of them; the summary and the report."""
    file = directory / "experiment.toml"
    if not file.exists() or load(file).trackers != experiment.trackers:
        write_whole(file, dumps(experiment.table()))
    main, other = train(experiment, world, directory, watch, stop, root, field), None
    if experiment.baseline not in ("none", experiment.clustered):
        rival, place = experiment.with_clustering(experiment.baseline), directory / "baseline"
        place.mkdir(exist_ok=True)
        write_whole(place / "experiment.toml", dumps(rival.table()))
        other = train(rival, world, place, watch, stop, root, field)
    summary = {**main.summary, "run_wall_s": main.summary["train_wall_s"]}
    if other is not None:
        summary["run_wall_s"] = round(main.summary["train_wall_s"] + other.summary["train_wall_s"], 3)
        shared = {name: other.summary[name] for name in SHARED if name in other.summary}
        summary["baseline"] = {"clustering": experiment.baseline, **shared}
        summary["gain"] = summary["accuracy"] - other.summary["accuracy"]
    write_json(directory / "summary.json", summary)
    from horae.report.html import write_report  # matplotlib takes a second to load, and nothing before needs it

    write_report(directory)
    return Result(summary, main.tree, main.scores, other, directory)


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


def _fresh_directory(experiment: Experiment, out: str | File | None) -> File:
    """Where a new run will lie; nothing is made yet. Errors: RunError if it holds something, or cannot be made."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    directory = File(out) if out is not None else _unused(File("runs") / f"{experiment.name}-{stamp}")
    check_writable(directory)
    if not is_free(directory):
        raise RunError(f"{directory} is not empty; choose another --out, or go on with it by --resume")
    return directory


def _begun(
    source: Any, changes: dict[str, Any], fields: Mapping[str, Any], resume: str | File, out: str | File | None
) -> tuple[Experiment, File]:
    """The experiment that was begun in a directory, which must be what is asked for now, as far as it is said.

    Where nothing was begun yet, what is asked for begins there.
    """
    directory, asked = File(resume), source is not None or changes or fields
    if out is not None and File(out) != directory:
        raise ConfigError(f"--out and --resume name two places, {out} and {directory}; leave --out away")
    if is_free(directory):
        if not asked:
            raise RunError(f"there is no run in {directory}; check the path, or name the experiment to begin there")
        return _assemble(source, changes, fields), _fresh_directory(_assemble(source, changes, fields), directory)
    if not (directory / "experiment.toml").is_file():
        raise RunError(f"{directory} is no run directory: it has no experiment.toml; check the path")
    check_writable(directory)
    stored = load(directory / "experiment.toml")
    wanted = _assemble(stored if source is None else source, changes, fields) if asked else stored
    for key, was, now in differences(stored.untold().table(), wanted.untold().table()):
        raise ConfigError(
            f"{key} should be {was!r} as when {directory} began, got {now!r}; leave it as it was, or start anew"
        )
    return replace(stored, trackers=wanted.trackers), directory


def _unused(directory: File) -> File:
    """The directory's name, or the first numbered one that is free."""
    names = (directory.with_name(f"{directory.name}-{n}") for n in range(2, 1000))
    return directory if not directory.exists() else next(name for name in names if not name.exists())
