"""The families and their members: from a table in an experiment file to an object, and back to its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from horae import (
    aggregation,
    algorithms,
    alignment,
    channels,
    clustering,
    data_planes,
    population,
    pruning,
    selectors,
    trackers,
    types,
)
from horae.engines.costs import COSTS
from horae.errors import ConfigError, HoraeError, brief, did_you_mean, one_line, require
from horae.settings import convert, imported
from horae.training import MODELS

FAMILIES: dict[str, Mapping[str, Any]] = {
    "population": population.POPULATIONS,
    "devices": population.DEVICES,
    "availability": population.AVAILABILITY,
    "model": MODELS,
    "algorithm": algorithms.ALGORITHMS,
    "aggregation": aggregation.AGGREGATION,
    "selector": selectors.SELECTORS,
    "clustering": clustering.CLUSTERING,
    "pruning": pruning.PRUNING,
    "alignment": alignment.ALIGNMENT,
    "channels": channels.CHANNELS,
    "data_plane": data_planes.DATA_PLANES,
    "cost": COSTS,
    "trackers": trackers.TRACKERS,
}
NESTED: dict[str, Mapping[str, Any]] = {"partition": population.PARTITIONS, "shifts": population.SHIFTS}
INNER = {population.Partition: "partition", population.Shift: "shifts"}  # the fields of a population that they are
EVERY = {**FAMILIES, **NESTED}


def _verbs(protocol: type) -> tuple[str, ...]:
    return tuple(name for name, item in vars(protocol).items() if callable(item) and not name.startswith("_"))


PROMISES: dict[str, tuple[str, ...]] = {
    "population": ("build",),
    "devices": _verbs(types.Devices),
    "availability": _verbs(types.Availability),
    "model": ("build",),
    "algorithm": _verbs(types.Algorithm),
    "aggregation": _verbs(types.Aggregation),
    "selector": _verbs(types.Selector),
    "clustering": _verbs(types.Clustering),
    "pruning": _verbs(types.Pruning),
    "alignment": _verbs(types.Alignment),
    "channels": _verbs(types.Channel),
    "data_plane": ("put", "get", "evict", "stats"),  # all that a run in one process needs
    "cost": ("seconds",),
    "trackers": _verbs(trackers.Tracker),
    "partition": ("share",),
    "shifts": ("inputs", "labels"),
}  # what a member must be able to do


def component(family: str, table: Mapping[str, Any], default: str | None = None) -> Any:
    """One member of a family, from its table: `name` and the fields of its dataclass; `name = "package.module:Class"`
    is somebody else's.
    """
    name = table.get("name", default)
    require(isinstance(name, str), f"{family}.name", "be a word", name)
    cls = find(family, str(name))
    return made(cls, {key: value for key, value in table.items() if key != "name"}, family, str(name))


def find(family: str, name: str) -> Any:
    """The class behind a name."""
    if name in EVERY[family]:
        return EVERY[family][name]
    if ":" not in name:
        raise ConfigError(f"{family}.name: there is no {brief(name, 40)}; {did_you_mean(name, EVERY[family])}")
    found = imported(name, f"{family}.name")
    require(isinstance(found, type) and is_dataclass(found), f"{family}.name", "name a dataclass", name)
    return fit(family, found, name)


def fit(family: str, member: Any, name: str) -> Any:
    """The same class or object. Errors: ConfigError if it cannot do what members of the family do."""
    missing = [verb for verb in PROMISES[family] if not callable(getattr(member, verb, None))]
    require(not missing, family, f"have the methods {', '.join(PROMISES[family])}", name, "see docs/extending.md")
    return member


def name_of(family: str, part: Any) -> str:
    """The name under which a component is found."""
    for name, cls in EVERY[family].items():
        if type(part) is cls:
            return name
    return f"{type(part).__module__}:{type(part).__qualname__}"


def check_trackers(tellers: Iterable[Any]) -> None:
    """Refuse trackers whose library is not installed. Errors: ConfigError."""
    trackers.check((name_of("trackers", tracker), tracker) for tracker in tellers)


def made(cls: Any, table: Mapping[str, Any], family: str, name: str = "") -> Any:
    """An instance of a dataclass from a table of its fields. Errors: ConfigError."""
    title = f"{family} {brief(name, 40)}" if name else family
    try:
        hints = get_type_hints(cls)
        known = [f.name for f in fields(cls) if f.init]
        for key in table:
            if key not in known:
                raise ConfigError(f"{title} has no {brief(key, 40)}; {did_you_mean(key, known)}")
        return cls(**{key: _field(value, hints[key], f"{family}.{key}") for key, value in table.items()})
    except HoraeError:
        raise
    except Exception as error:
        if ":" not in name:  # one of ours: a defect
            raise
        raise ConfigError(f"{title} cannot be made: {one_line(error)}") from None


def plain(part: Any) -> dict[str, Any]:
    """A component's fields as plain data."""
    if not is_dataclass(part):
        return {}
    return {f.name: _plain(getattr(part, f.name)) for f in fields(part) if f.init}


def _field(value: Any, hint: Any, field: str) -> Any:
    """A field's value: plain data, or a member of another family by its table."""
    if hint in INNER:
        return _inner(value, INNER[hint], field)
    several = get_origin(hint) is tuple and get_args(hint)[0] in INNER
    if several:
        require(isinstance(value, list | tuple), field, "be a list of tables, each with a name", value)
        return tuple(_inner(item, INNER[get_args(hint)[0]], field) for item in value)
    if get_origin(hint) is tuple and is_dataclass(get_args(hint)[0]):
        tables = isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value)
        require(tables, field, f"be a list of tables ([[{field}]])", value)
        return tuple(made(get_args(hint)[0], item, field) for item in value)
    return convert(value, hint, field)


def _inner(value: Any, family: str, field: str) -> Any:
    table = {"name": value} if isinstance(value, str) else value
    require(isinstance(table, Mapping) and "name" in table, field, 'be a table such as { name = "..." }', value)
    cls = find(family, str(table["name"]))
    return made(cls, {key: item for key, item in table.items() if key != "name"}, field, str(table["name"]))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    for family in INNER.values():
        if type(value) in EVERY[family].values() or (is_dataclass(value) and _can(family, value)):
            return {"name": name_of(family, value), **plain(value)}
    return plain(value) if is_dataclass(value) else value


def _can(family: str, value: Any) -> bool:
    return all(callable(getattr(value, verb, None)) for verb in PROMISES[family])
