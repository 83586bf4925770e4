"""An experiment file and the objects it names.

Each table of the file is a family; its `name` is the member and its other keys are the fields of the member's
dataclass (`families.py` makes it). What cannot be carried out is refused here, before any work.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from horae import clustering
from horae.channels.order import check_channels
from horae.checks import (
    AGES_S,
    affordable,
    check_aggregation,
    check_alignment,
    check_batches,
    check_budget,
    check_name,
    check_pace,
    check_people,
    check_visits,
)
from horae.engines.simulation import Pace, World
from horae.engines.site import Site
from horae.errors import ConfigError, brief, did_you_mean, require
from horae.families import FAMILIES, component, find, fit, made, name_of, plain
from horae.federate import Budget
from horae.files import read_toml
from horae.population import Part, Population
from horae.population.harm import Harm, poison
from horae.settings import changed, convert
from horae.training import MetricName, Samples, Trainer, Training, check_module, initial
from horae.types import Lockstep, Plan, Suited

__all__ = [
    "DEFAULTS",
    "FAMILIES",
    "NUMBERS",
    "TABLES",
    "Experiment",
    "Given",
    "Scoring",
    "component",
    "find",
    "load",
    "name_of",
]

MOST, MOST_INVITED = 10**9, 1000  # participants of a round; and how many times as many are invited
DEMO = Path(__file__).with_name("demo.toml")
DEFAULTS = {
    "population": "digits-rotated",
    "devices": "synthetic",
    "availability": "synthetic",
    "model": "logistic",
    "algorithm": "fedavg",
    "aggregation": "mean",
    "selector": "uniform",
    "clustering": "auxo",
    "pruning": "dense",
    "alignment": "off",
    "data_plane": "inline",
    "cost": "model-aware",
}


@dataclass(frozen=True)
class Scoring:
    """The `[evaluation]` table.

    every: rounds' worth of participations between two scores. metrics: told at the end beside accuracy (of labels:
    macro averages), any of top5, f1, precision, recall. clients: how many are scored on the way (0: enough for
    ±0.5 points); at the end it is everybody. target_accuracy: for time_to_accuracy_s; 0 is none.
    """

    every: int = 10
    clients: int = 0
    target_accuracy: float = 0.0
    metrics: tuple[MetricName, ...] = ()

    def __post_init__(self) -> None:
        require(self.every >= 1, "evaluation.every", "be >= 1", self.every)
        require(self.clients >= 0, "evaluation.clients", "be >= 0", self.clients)
        require(0 <= self.target_accuracy <= 1, "evaluation.target_accuracy", "be in [0, 1]", self.target_accuracy)


@dataclass(frozen=True)
class Given:
    """Stands for something handed over from Python: it can be described, but not made again from a file."""

    what: str

    def build(self, *_: Any) -> Any:
        """Refused: whatever it was, it is not in the file."""
        raise ConfigError(f"{self.what}; it is in no file: hand it over again with horae.run")


TABLES: dict[str, type] = {"budget": Budget, "training": Training, "evaluation": Scoring, "engine": Pace, "harm": Harm}
NUMBERS: dict[str, Any] = {
    "name": "digits-rotated",
    "seed": 0,
    "participants": 30,
    "participants_later": 0,
    "participants_later_from": 0.5,
    "overcommit": 1.25,
    "deadline_s": 3600.0,
    "baseline": "single",
}


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run. participants_later: per round once `participants_later_from` of the budget is used
    (0: as before). parts: one object per family; the rest are the loop's numbers.

    baseline: the clustering that is run beside this one on the same clients and budget, or "none". cohorts_from: a
    finished run whose cohorts these clients begin in (`clustering.from`), or "". site: whose workers train, where it is
    not the simulation. trackers: who is told of the run; they decide nothing.
    """

    name: str
    seed: int
    participants: int
    participants_later: int
    participants_later_from: float
    overcommit: float
    deadline_s: float
    baseline: str
    budget: Budget
    training: Training
    evaluation: Scoring
    engine: Pace
    parts: dict[str, Any] = field(default_factory=dict)
    harm: Harm = field(default_factory=Harm)
    cohorts_from: str = ""
    site: Site = field(default_factory=Site)
    trackers: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name)
        require(self.seed >= 0, "seed", "be >= 0", self.seed)
        for key, most in (("participants", MOST), ("overcommit", MOST_INVITED), ("deadline_s", AGES_S)):
            value = getattr(self, key)
            require(value >= 1, key, "be >= 1", value)
            require(value <= most, key, f"be <= {most:,.0f}", value, "lower it")
        require(0 <= self.participants_later <= MOST, "participants_later", "be in [0, 1e9]", self.participants_later)
        share = self.participants_later_from
        require(0 < share < 1, "participants_later_from", "be in (0, 1), a share of the budget", share)
        known = ("none", *clustering.CLUSTERING)
        require(self.baseline in known, "baseline", f"be one of {', '.join(known)}", self.baseline)
        own = isinstance(self.parts.get("clustering"), Lockstep) or self.clustered in ("single", "oracle")
        alone = self.cohorts_from and own  # what a server with shared rounds knows of clients is not in that tree
        require(not alone, "clustering.from", "go with a clustering that learns, such as auxo", self.clustered)
        check_budget(self.budget)
        check_pace(self.engine)
        check_aggregation(self.parts, self.names())
        check_channels(self.parts["channels"])
        twice = any(tracker in self.trackers[:i] for i, tracker in enumerate(self.trackers))
        require(not twice, "trackers", "differ from one another", [name_of("trackers", t) for t in self.trackers])

    @property
    def clustered(self) -> str:
        """The clustering's name."""
        return self.names()["clustering"]

    @property
    def noisy(self) -> tuple[Any, ...]:
        """The parts that may add noise to updates: the channels, then the aggregation."""
        return (*self.parts["channels"], self.parts["aggregation"])

    def names(self) -> dict[str, str]:
        """Family to member, channels aside."""
        return {family: name_of(family, part) for family, part in self.parts.items() if family != "channels"}

    def with_clustering(self, name: str) -> Experiment:
        """The same experiment with another clustering, at that one's defaults."""
        parts = {**self.parts, "clustering": clustering.CLUSTERING[name]()}
        return dataclasses.replace(self, baseline="none", parts=parts, cohorts_from="")

    def with_objects(self, objects: Mapping[str, Any]) -> Experiment:
        """The same experiment with some parts or tables given as objects."""
        known = {**TABLES, "site": Site}
        for key in objects:
            if key not in (*known, *FAMILIES):
                raise ConfigError(f"the experiment has no {brief(key, 40)}; {did_you_mean(key, (*known, *FAMILIES))}")
        tables = {key: value for key, value in objects.items() if key in known}
        for key, value in tables.items():
            require(isinstance(value, known[key]), key, f"be a {known[key].__name__}", type(value).__name__)
        parts = {key: fit(key, value, type(value).__name__) for key, value in objects.items() if key in FAMILIES}
        if "channels" in parts:
            parts["channels"] = (parts["channels"],)
        told = (parts.pop("trackers"),) if "trackers" in parts else self.trackers
        return dataclasses.replace(self, **tables, parts={**self.parts, **parts}, trackers=told)

    def untold(self) -> Experiment:
        """The same experiment without trackers: what decides the results."""
        return dataclasses.replace(self, trackers=())

    def table(self) -> dict[str, Any]:
        """The fully resolved experiment as plain data: what `experiment.toml` holds."""
        out: dict[str, Any] = {key: getattr(self, key) for key in NUMBERS}
        out |= {key: plain(getattr(self, key)) for key in TABLES}
        out["budget"] = {key: value for key, value in out["budget"].items() if value}
        for family, part in self.parts.items():
            if family == "channels":
                out[family] = [{"name": name_of(family, p), **plain(p)} for p in part]
            else:
                out[family] = {"name": name_of(family, part), **plain(part)}
        if self.cohorts_from:
            out["clustering"]["from"] = self.cohorts_from
        used = self.site.executor or self.site.aggregation != "here"
        told = [{"name": name_of("trackers", tracker), **plain(tracker)} for tracker in self.trackers]
        return out | ({"site": plain(self.site)} if used else {}) | ({"trackers": told} if told else {})

    def plan(self) -> Plan:
        """The loop's plan."""
        part = self.parts
        return Plan(
            seed=self.seed,
            participants=self.participants,
            overcommit=self.overcommit,
            budget=self.budget,
            algorithm=part["algorithm"],
            selector=part["selector"],
            clustering=part["clustering"],
            pruning=part["pruning"],
            alignment=part["alignment"],
            channels=part["channels"],
            data_plane=copy.deepcopy(part["data_plane"]),  # it holds arrays: one for each run
            linear_lr=self.training.lr_scaling == "linear",
            deadline_s=self.deadline_s,
            later=(self.participants_later_from, self.participants_later),
            aggregation=part["aggregation"],
        )

    def world(
        self,
        data_root: Path | None = None,
        people: Population | None = None,
        module: Any = None,
        workers: int = 1,
        pool: str = "local",
    ) -> World:
        """Clients, devices, hours and trainer. people, module: given from Python instead of by name. workers, pool: how
        many processes train, and whose (see `Trainer`).
        """
        devices, hours = (_opened(self.parts[family], data_root) for family in ("devices", "availability"))
        people = poison(people or self._people(data_root), self.harm, self.seed)
        most = max(self.participants, self.participants_later)
        if not isinstance(people, Part):
            check_people(people, self.parts["clustering"], self.baseline, self.participants)
        require(most <= people.clients, "participants_later", f"be <= {people.clients} clients", most)
        hours = hours.among(people) if hasattr(hours, "among") else hours
        check_alignment(people, self.parts["alignment"])
        check_visits(self.noisy, self.budget, people.clients)
        check_batches(self.training, people.train.most, most)
        if module is None:
            with affordable("model", "make it smaller"):
                module = initial(self.parts["model"], people.shape, people.classes, self.seed)
        samples = Samples.of(people.x, people.y, people.scale)
        check_module(module, samples.example, samples.truth, people.classes)
        data = (people.x, people.y, self.seed)
        trainer = Trainer(module, self.training, *data, workers, pool, people.task, people.scale)
        if isinstance(self.parts["pruning"], Suited):
            self.parts["pruning"].fits(trainer.anatomy)
        return World(people, devices, hours, trainer, self.parts["cost"], self.harm)

    def _people(self, data_root: Path | None) -> Population:
        with affordable("population", "lower population.clients"):
            people = self.parts["population"].build(self.seed, data_root)
        require(isinstance(people, Population), "population", "build a horae.Population", type(people).__name__)
        return people  # type: ignore[no-any-return]


def _opened(part: Any, data_root: Path | None) -> Any:
    """The part with the file it names read, if it names one."""
    return part.opened(data_root) if hasattr(part, "opened") else part


def load(source: str | Path | Mapping[str, Any] | None = None, changes: Mapping[str, Any] | None = None) -> Experiment:
    """An experiment from a file, a plain table, or nothing (the demo), with changes such as {"clustering.gamma": 0.3}.

    Errors: ConfigError for an unreadable file, an unknown key or name, a wrong type, a value out of range.
    """
    table = dict(source) if isinstance(source, Mapping) else _read(source)
    if any(str(key).startswith("budget.") for key in changes or {}):
        table["budget"] = {}  # a limit that is set takes the place of the one there was
    table = changed(table, changes or {})
    known = (*NUMBERS, *TABLES, "site", *FAMILIES)
    for key in table:
        if key not in known:
            raise ConfigError(f"the experiment has no {brief(key, 40)}; {did_you_mean(key, known)}")
    hints = get_type_hints(Experiment)
    numbers = {key: convert(table.get(key, default), hints[key], key) for key, default in NUMBERS.items()}
    tables = {key: made(cls, _table(table, key), key) for key, cls in TABLES.items()}
    members = {family: dict(_table(table, family)) for family in DEFAULTS}
    site = made(Site, _table(table, "site"), "site")
    if site.executor == "process" and "data_plane" not in table:
        members["data_plane"]["name"] = "shm"  # one host, whose processes read a model where it lies
    if site.endpoints:
        named, remedy = members["population"].setdefault("name", "sites"), "leave [population] away"
        require(named == "sites", "population.name", "be sites with [[site.endpoints]]", named, remedy)
    cohorts_from = convert(members["clustering"].pop("from", ""), str, "clustering.from")
    if cohorts_from and members["clustering"].get("name", "auxo") == "auxo":
        members["clustering"].setdefault("epsilon", 0.0)  # who knows its cohort need not look for one
    parts: dict[str, Any] = {f: component(f, members[f], default) for f, default in DEFAULTS.items()}
    parts["channels"] = tuple(component("channels", entry, "plain") for entry in _listed(table, "channels"))
    trackers = tuple(component("trackers", entry) for entry in _listed(table, "trackers"))
    if not any(dataclasses.astuple(tables["budget"])) and "budget" not in table:
        tables["budget"] = Budget(participations=200 * numbers["participants"])
    return Experiment(**numbers, **tables, parts=parts, cohorts_from=cohorts_from, site=site, trackers=trackers)


def _read(source: str | Path | None) -> dict[str, Any]:
    file = DEMO if source is None or source == "demo" else Path(source)
    return read_toml(file, "experiment file", "check the path, or leave it out for the demo")


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    require(isinstance(value, Mapping), key, f"be a table ([{key}])", value)
    return dict(value)


def _listed(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The tables of a family of which there may be several."""
    value = table.get(key, [])
    whole = isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value)
    require(whole, key, f"be a list of tables ([[{key}]])", value)
    return value  # type: ignore[no-any-return]
