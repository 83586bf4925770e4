"""SWEEP.toml as data, looked at; `${VAR}` stays as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from horae.errors import ConfigError, brief, did_you_mean, require
from horae.files import read_toml
from horae.sweep.slots import Host, slots
from horae.sweep.variables import check_open, is_secret, variables

_KEYS = ("name", "slots", "threads", "data_root", "seeds", "run", "vary", "environment", "hosts")
_RUN = ("name", "experiment", "set", "seeds")
_LONGEST = 80  # letters of a run's name
_MINE = {"training.device": "the slots say it", "seed": "use seeds = [...]"}
_PASSED = "give it to the runs by [environment]; what reads it there takes it from the environment"


@dataclass(frozen=True)
class Entry:
    """One [[run]]. experiment: its file, beside the sweep's; empty is the demo. changes: dotted field to value."""

    name: str
    experiment: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Where:
    """What may be another one when a sweep goes on. slots: empty for one on each core of this machine. environment:
    variables that the runs get. data_root: where data sets lie on this machine, or empty.
    """

    slots: list[str] = field(default_factory=list)
    data_root: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)


@dataclass(frozen=True)
class File:
    """A sweep's file. folder: where it lies. threads: of each run, or 0 for what its experiment says."""

    name: str
    folder: Path
    entries: list[Entry]
    vary: dict[str, list[Any]]
    threads: int
    where: Where


def read(file: Path) -> File:
    """A sweep's file. Errors: ConfigError that names the field, the value and the remedy."""
    table = read_toml(file, "sweep file")
    for key in table:
        if key not in _KEYS:
            raise ConfigError(f"the sweep has no {brief(key, 40)}; {did_you_mean(key, _KEYS)}")
    name, threads = table.get("name", file.stem), table.get("threads", 0)
    require(isinstance(name, str) and not variables(name), "name", "be a text without variables", name)
    fine = type(threads) is int and 0 <= threads <= 256
    require(fine, "threads", "be a whole number from 1 to 256", threads, "leave it away for the experiment's")
    listed = table.get("run", [])
    some = isinstance(listed, list) and bool(listed)
    require(some, "run", "be one table at least", listed, 'add [[run]] name = "..."')
    usual = _seeds(table.get("seeds", [0]), "seeds")
    entries = [_entry(entry, usual, threads) for entry in listed]
    twice = next((e.name for i, e in enumerate(entries) if e.name in [x.name for x in entries[:i]]), None)
    require(twice is None, "run", "have different names", twice)
    return File(name, file.parent, entries, _vary(table.get("vary", {}), entries, threads), threads, where(table))


def where(table: Mapping[str, Any]) -> Where:
    """Slots, hosts and environment of a file's table. Errors: ConfigError."""
    hosts = {str(name): _host(str(name), entry) for name, entry in _mapping(table, "hosts").items()}
    given = table.get("slots", [])
    require(isinstance(given, list), "slots", "be a list of texts", given, 'try: slots = ["cpu", "cpu"]')
    check_open(given, "slots", "name the host")
    if given:
        slots(given, hosts)
    data_root = table.get("data_root", "")
    require(isinstance(data_root, str), "data_root", "be a text", data_root)
    check_open(data_root, "data_root", _PASSED)
    environment = {str(key): _passed(str(key), value) for key, value in _mapping(table, "environment").items()}
    return Where(list(given), data_root, environment, hosts)


def _entry(table: Any, usual: list[int], threads: int) -> Entry:
    """One [[run]]. Errors: ConfigError."""
    from horae.compare.vary import field_of  # it loads torch, and `horae status` does without
    from horae.settings import flat

    require(isinstance(table, Mapping), "run", "be tables ([[run]])", table)
    name = table.get("name")
    fine = isinstance(name, str) and name == name.strip() != "" and name.isprintable() and len(name) <= _LONGEST
    require(fine, "run", f"have a name of 1 to {_LONGEST} letters", name)
    require(not variables(name), "run", "have a name without variables", name)
    what = f"run {name}"
    for key in table:
        if key not in _RUN:
            raise ConfigError(f"{what}: there is no {brief(key, 40)}; {did_you_mean(key, _RUN)}")
    experiment = table.get("experiment", "")
    require(isinstance(experiment, str), f"{what}: experiment", "be a file's name", experiment)
    check_open(experiment, f"{what}: experiment", "name the file")
    given = table.get("set", {})
    require(isinstance(given, Mapping), f"{what}: set", "be a table", given, "write set = { ... }")
    changes: dict[str, Any] = {}
    for key, value in flat(given).items():
        full = field_of(key)
        require(full not in changes, f"{what}: set", "name a field once", key)
        _check_field(full, value, f"{what}: set", threads)
        changes[full] = value
    seeds = _seeds(table["seeds"], f"{what}: seeds") if "seeds" in table else usual
    return Entry(str(name), experiment, changes, seeds)


def _vary(given: Any, entries: list[Entry], threads: int) -> dict[str, list[Any]]:
    from horae.compare.vary import checked
    from horae.settings import flat

    require(isinstance(given, Mapping), "vary", "be a table ([vary])", given)
    found = checked(flat(given), "vary")
    for key, values in found.items():
        _check_field(key, values, "vary", threads)
        for entry in entries:
            both = key in entry.changes
            require(not both, f"run {entry.name}: set", "be other fields than [vary]", key, "leave one out")
    return found


def _check_field(key: str, value: Any, what: str, threads: int) -> None:
    """Refuse a field that is said elsewhere, or that holds a secret: experiments are written down."""
    mine = _MINE | ({"training.threads": "threads = ... says it"} if threads else {})
    require(key not in mine, what, "name another field", key, mine.get(key, ""))
    check_open(value, f"{what}: {key}", _PASSED)


def _seeds(given: Any, what: str) -> list[int]:
    from horae.compare.vary import checked_seeds, parse_seeds

    if isinstance(given, str):
        return parse_seeds(given, what)
    fine = isinstance(given, list) and all(type(seed) is int and seed >= 0 for seed in given)
    require(fine, what, "be a list of whole numbers, or a text like 0-4", given)
    return checked_seeds(given, what)


def _host(name: str, table: Any) -> Host:
    what, known = f"hosts.{name}", [part.name for part in fields(Host)]
    named = name.isprintable() and ":" not in name and name not in ("", "cpu", "cuda") and not variables(name)
    require(named, "hosts", "have names without colons, other than cpu and cuda", name)
    require(isinstance(table, Mapping), what, f"be a table ([hosts.{name}])", table)
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{what} has no {brief(key, 40)}; {did_you_mean(key, known)}")
        require(isinstance(value, str) and value.isprintable(), f"{what}.{key}", "be a text on one line", value)
        check_open(value, f"{what}.{key}", _PASSED)
    for key, example in (("ssh", "user@host"), ("directory", "/srv/horae")):
        require(bool(table.get(key)), f"{what}.{key}", "be said", table.get(key, ""), f'try: {key} = "{example}"')
    require(not table["ssh"].startswith("-"), f"{what}.ssh", "be an address", table["ssh"])
    require(table["directory"].startswith(("/", "${")), f"{what}.directory", "begin with /", table["directory"])
    return Host(**table)


def _passed(name: str, value: Any) -> str:
    """A variable of [environment]. Errors: ConfigError, without the value."""
    fine = name.isidentifier() and name.isascii()
    require(fine, "environment", "have names of letters, digits and _", name)
    if not isinstance(value, str) or not value.isprintable():
        raise ConfigError(f"environment.{name} should be a text on one line")
    if is_secret(name) and not variables(value):
        raise ConfigError(f'environment.{name} should be "${{{name}}}": the file is no place for the value itself')
    return value


def _mapping(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    require(isinstance(value, Mapping), key, f"be a table ([{key}])", value)
    return value  # type: ignore[no-any-return]
