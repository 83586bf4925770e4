"""The arms of a comparison: every choice of the varied fields, for every arm of an `--arms` file."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from horae.compare.vary import TAKEN, Vary, checked, field_of, word
from horae.errors import ConfigError, brief, did_you_mean, require
from horae.files import read_toml
from horae.settings import flat

_KEYS = ("name", "set", "tune")
_LONGEST = 80  # letters of an arm's name


@dataclass(frozen=True)
class Named:
    """An arm that was given a name. changes: dotted field to value. tune: the settings it may be tuned over."""

    name: str
    changes: dict[str, Any]
    tune: Vary


@dataclass(frozen=True)
class Arm:
    """One choice of values. directory: its name as a file name. changes: dotted field to value. tune: its own grid."""

    name: str
    directory: str
    changes: dict[str, Any]
    tune: Vary = field(default_factory=dict)


def read_arms(source: str | Path | Sequence[Mapping[str, Any]] | None) -> list[Named]:
    """The arms of a file with a table [[arm]] for each, or of such tables. Errors: ConfigError."""
    if source is None:
        return []
    tables = _read(Path(source)) if isinstance(source, str | Path) else source
    named: list[Named] = []
    for table in tables:
        require(isinstance(table, Mapping), "--arms", "have a table for each arm ([[arm]])", table)
        named.append(_named(table))
        require(named[-1].name not in [arm.name for arm in named[:-1]], "--arms", "have different names", table["name"])
    require(bool(named), "--arms", "have one arm at least", list(tables), 'add [[arm]] name = "..." set = { ... }')
    return named


def arms_table(named: Sequence[Named]) -> dict[str, Any]:
    """The same as an `--arms` file holds it."""
    rows = [{"name": arm.name, "set": arm.changes, "tune": arm.tune} for arm in named]
    return {"arm": [{key: value for key, value in row.items() if value} for row in rows]}


def arms_of(vary: Vary, named: Sequence[Named] = ()) -> list[Arm]:
    """Every named arm with every choice of one value per varied field, the last field varying fastest."""
    names, taken = _short_names(vary), set[str]()
    arms: list[Arm] = []
    for base in named or [Named("", {}, {})]:
        for values in itertools.product(*vary.values()):
            choice = dict(zip(vary, values, strict=True))
            parts = [base.name] if base.name else []
            parts += [f"{names[key]}={word(value)}" if names[key] else word(value) for key, value in choice.items()]
            directory = _file_name(",".join(parts), taken)
            arms.append(Arm(", ".join(parts), directory, {**base.changes, **choice}, dict(base.tune)))
            taken.add(directory.lower())
    return arms


def find_arm(arms: Sequence[Arm], wanted: str | None) -> Arm:
    """An arm by its name, `auxo, participants=10`, by its directory, or in full; without a name the first one."""
    if wanted is None:
        return arms[0]
    bare = wanted.replace(" ", "")
    for arm in arms:
        full = ",".join(f"{key.removesuffix('.name')}={word(value)}" for key, value in arm.changes.items())
        if bare in {known.replace(" ", "") for known in (arm.name, arm.directory, full)}:
            return arm
    raise ConfigError(f"--against: there is no arm {wanted!r}; {did_you_mean(wanted, [arm.name for arm in arms])}")


def _read(file: Path) -> Sequence[Mapping[str, Any]]:
    """The tables of a file. Errors: ConfigError."""
    try:
        table = read_toml(file, "file of arms")
    except ConfigError as error:
        raise ConfigError(f"--arms: {error}") from None
    other = next((key for key in table if key != "arm"), None)
    require(other is None, "--arms", "hold tables [[arm]] and nothing else", other)
    found = table.get("arm", [])
    require(isinstance(found, list), "--arms", "have a table for each arm ([[arm]])", found, "write [[arm]], not [arm]")
    return list(found)


def _named(table: Mapping[str, Any]) -> Named:
    """One arm, looked at. Errors: ConfigError that names it."""
    name = table.get("name")
    known = isinstance(name, str) and name == name.strip() != "" and name.isprintable() and len(name) <= _LONGEST
    require(known, "--arms", f"give every arm a name of 1 to {_LONGEST} letters", name)
    for key in table:
        if key not in _KEYS:
            raise ConfigError(f"arm {name}: there is no {brief(key, 40)}; {did_you_mean(key, _KEYS)}")
    for key in ("set", "tune"):
        value = table.get(key, {})
        require(isinstance(value, Mapping), f"arm {name}: {key}", "be a table", value, f"write {key} = {{ ... }}")
    changes: dict[str, Any] = {}
    for given, value in flat(table.get("set", {})).items():
        key = field_of(given)
        require(key not in changes, f"arm {name}: set", "name a field once", given)
        require(key not in TAKEN, f"arm {name}: set", "name another field", given, TAKEN.get(key, ""))
        changes[key] = value
    return Named(str(name), changes, checked(flat(table.get("tune", {})), f"arm {name}: tune"))


def _short_names(vary: Vary) -> dict[str, str]:
    """What to call a field in an arm's name: its last word if no other ends so; nothing for a family's member."""
    last = [key.split(".")[-1] for key in vary]
    bare = {key: key.split(".")[-1] if last.count(key.split(".")[-1]) == 1 else key for key in vary}
    members = [key for key in vary if key.endswith(".name")]
    said = [word(value) for key in members for value in vary[key]]
    plain = len(set(said)) == len(said)  # "synthetic" is both a device and an availability
    return bare | {key: "" if plain else key.removesuffix(".name") for key in members}


def _file_name(name: str, taken: set[str]) -> str:
    """A safe and unused name for a directory, also where upper case is lower case."""
    safe = re.sub(r"[^A-Za-z0-9._=,+-]+", "-", re.sub("[ \"']", "", name)).lstrip(".-")[:80] or "arm"
    numbered = (f"{safe}-{n}" for n in itertools.count(2))
    return safe if safe.lower() not in taken else next(other for other in numbered if other.lower() not in taken)
