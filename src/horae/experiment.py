"""An experiment file and the objects it names: the one file that knows every family.

Each table of the file is a family; its `name` is the member and its other keys are the fields of the member's
dataclass.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from horae import algorithms, alignment, channels, clustering, data_planes, population, pruning, selectors
from horae.engines.costs import COSTS
from horae.engines.simulation import Pace, World
from horae.errors import ConfigError, did_you_mean, require
from horae.federate import Budget
from horae.population import Population
from horae.settings import changed, convert
from horae.training import MODELS, Trainer, Training, initial
from horae.types import Plan

FAMILIES: dict[str, Mapping[str, Any]] = {
    "population": population.POPULATIONS,
    "devices": population.DEVICES,
    "availability": population.AVAILABILITY,
    "model": MODELS,
    "algorithm": algorithms.ALGORITHMS,
    "selector": selectors.SELECTORS,
    "clustering": clustering.CLUSTERING,
    "pruning": pruning.PRUNING,
    "alignment": alignment.ALIGNMENT,
    "channels": channels.CHANNELS,
    "data_plane": data_planes.DATA_PLANES,
    "cost": COSTS,
}
DEMO = Path(__file__).with_name("demo.toml")
DEFAULTS = {
    "population": "digits-rotated",
    "devices": "synthetic",
    "availability": "synthetic",
    "model": "logistic",
    "algorithm": "fedavg",
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

    every: rounds' worth of participations between two scores. clients: how many are scored on the way (0: enough for
    ±0.5 points); at the end it is everybody. target_accuracy: for time_to_accuracy_s; 0 is none.
    """

    every: int = 10
    clients: int = 0
    target_accuracy: float = 0.0

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


TABLES: dict[str, type] = {"budget": Budget, "training": Training, "evaluation": Scoring, "engine": Pace}
NUMBERS: dict[str, Any] = {
    "name": "digits-rotated",
    "seed": 0,
    "participants": 30,
    "overcommit": 1.25,
    "deadline_s": 3600.0,
    "baseline": "single",
}


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run. parts: one object per family; the rest are the loop's numbers.

    baseline: the clustering that is run beside this one on the same clients and budget, or "none".
    """

    name: str
    seed: int
    participants: int
    overcommit: float
    deadline_s: float
    baseline: str
    budget: Budget
    training: Training
    evaluation: Scoring
    engine: Pace
    parts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(bool(self.name) and "/" not in self.name, "name", "be a word without '/'", self.name)
        require(self.seed >= 0, "seed", "be >= 0", self.seed)
        require(self.participants >= 1, "participants", "be >= 1", self.participants)
        require(self.overcommit >= 1, "overcommit", "be >= 1", self.overcommit)
        require(self.deadline_s > 0, "deadline_s", "be > 0", self.deadline_s)
        known = ("none", *clustering.CLUSTERING)
        require(self.baseline in known, "baseline", f"be one of {', '.join(known)}", self.baseline)
        limits = [n for n in dataclasses.astuple(self.budget) if n > 0]
        one = "name exactly one positive limit: participations, simulated_s or bytes"
        require(len(limits) == 1 and min(dataclasses.astuple(self.budget)) >= 0, "budget", one, _plain(self.budget))

    @property
    def clustered(self) -> str:
        """The clustering's name."""
        return self.names()["clustering"]

    def names(self) -> dict[str, str]:
        """Family to member, channels aside."""
        return {family: name_of(family, part) for family, part in self.parts.items() if family != "channels"}

    def with_clustering(self, name: str) -> Experiment:
        """The same experiment with another clustering, at that one's defaults."""
        return dataclasses.replace(
            self, baseline="none", parts={**self.parts, "clustering": clustering.CLUSTERING[name]()}
        )

    def with_objects(self, objects: Mapping[str, Any]) -> Experiment:
        """The same experiment with some parts or tables given as objects."""
        for key in objects:
            if key not in (*TABLES, *FAMILIES):
                raise ConfigError(f"the experiment has no {key!r}; {did_you_mean(key, (*TABLES, *FAMILIES))}")
        tables = {key: value for key, value in objects.items() if key in TABLES}
        parts = {key: value for key, value in objects.items() if key in FAMILIES}
        return dataclasses.replace(self, **tables, parts={**self.parts, **parts})

    def table(self) -> dict[str, Any]:
        """The fully resolved experiment as plain data: what `experiment.toml` holds."""
        out: dict[str, Any] = {key: getattr(self, key) for key in NUMBERS}
        out |= {key: _plain(getattr(self, key)) for key in TABLES}
        out["budget"] = {key: value for key, value in out["budget"].items() if value}
        for family, part in self.parts.items():
            if family == "channels":
                out[family] = [{"name": name_of(family, p), **_plain(p)} for p in part]
            else:
                out[family] = {"name": name_of(family, part), **_plain(part)}
        return out

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
        )

    def world(self, data_root: Path | None = None, people: Population | None = None, module: Any = None) -> World:
        """Clients, devices, hours and trainer. people, module: given from Python instead of by name."""
        people = people or self.parts["population"].build(self.seed, data_root)
        remedy = "lower participants or raise population.clients"
        require(
            self.participants <= people.clients,
            "participants",
            f"be <= {people.clients} clients",
            self.participants,
            remedy,
        )
        if module is None:
            module = initial(self.parts["model"], people.shape, people.classes, self.seed)
        trainer = Trainer(module, self.training, people.x, people.y, self.seed)
        return World(people, self.parts["devices"], self.parts["availability"], trainer, self.parts["cost"])


def load(source: str | Path | Mapping[str, Any] | None = None, changes: Mapping[str, Any] | None = None) -> Experiment:
    """An experiment from a file, a plain table, or nothing (the demo), with changes such as {"clustering.gamma": 0.3}.

    Errors: ConfigError for an unreadable file, an unknown key or name, a wrong type, a value out of range.
    """
    table = dict(source) if isinstance(source, Mapping) else _read(source)
    if any(key.startswith("budget.") for key in changes or {}):
        table["budget"] = {}  # a limit that is set takes the place of the one there was
    table = changed(table, changes or {})
    known = (*NUMBERS, *TABLES, *FAMILIES)
    for key in table:
        if key not in known:
            raise ConfigError(f"the experiment has no {key!r}; {did_you_mean(key, known)}")
    hints = get_type_hints(Experiment)
    numbers = {key: convert(table.get(key, default), hints[key], key) for key, default in NUMBERS.items()}
    tables = {key: _fields(cls, _table(table, key), key) for key, cls in TABLES.items()}
    parts: dict[str, Any] = {f: component(f, _table(table, f), default) for f, default in DEFAULTS.items()}
    listed = table.get("channels", [])
    whole = isinstance(listed, list) and all(isinstance(entry, Mapping) for entry in listed)
    require(whole, "channels", "be a list of tables ([[channels]])", listed)
    parts["channels"] = tuple(component("channels", entry, "plain") for entry in listed)
    if not any(dataclasses.astuple(tables["budget"])) and "budget" not in table:
        tables["budget"] = Budget(participations=200 * numbers["participants"])
    return Experiment(**numbers, **tables, parts=parts)


def component(family: str, table: Mapping[str, Any], default: str | None = None) -> Any:
    """One member of a family, from its table: `name` and the fields of its dataclass; `name = "package.module:Class"`
    is somebody else's.
    """
    name = table.get("name", default)
    require(isinstance(name, str), f"{family}.name", "be a word", name)
    cls = find(family, str(name))
    return _fields(cls, {key: value for key, value in table.items() if key != "name"}, family, str(name))


def find(family: str, name: str) -> Any:
    """The class behind a name."""
    if name in FAMILIES[family]:
        return FAMILIES[family][name]
    if ":" not in name:
        raise ConfigError(f"{family}.name: there is no {name!r}; {did_you_mean(name, FAMILIES[family])}")
    where, _, what = name.partition(":")
    try:
        found = getattr(importlib.import_module(where), what)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"{family}.name: cannot import {name!r} ({error}); check the module path") from None
    require(isinstance(found, type) and is_dataclass(found), f"{family}.name", "name a dataclass", name)
    return found


def name_of(family: str, part: Any) -> str:
    """The name under which a component is found."""
    for name, cls in FAMILIES[family].items():
        if type(part) is cls:
            return name
    return f"{type(part).__module__}:{type(part).__qualname__}"


def _fields(cls: Any, table: Mapping[str, Any], family: str, name: str = "") -> Any:
    hints = get_type_hints(cls)
    known = [f.name for f in fields(cls) if f.init]
    for key in table:
        if key not in known:
            raise ConfigError(f"{f'{family} {name!r}' if name else family} has no {key!r}; {did_you_mean(key, known)}")
    return cls(**{key: convert(value, hints[key], f"{family}.{key}") for key, value in table.items()})


def _read(source: str | Path | None) -> dict[str, Any]:
    if source is None or source == "demo":
        source = DEMO
    try:
        return tomllib.loads(Path(source).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no experiment file {str(source)!r}; check the path, or leave it out for the demo"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {str(source)!r}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{str(source)!r} is not TOML: {error}") from None


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    require(isinstance(value, Mapping), key, f"be a table ([{key}])", value)
    return dict(value)


def _plain(part: Any) -> dict[str, Any]:
    if not is_dataclass(part):
        return {}
    shown = [f for f in fields(part) if f.init]
    return {f.name: list(v) if isinstance(v := getattr(part, f.name), tuple) else v for f in shown}
