"""From a TOML file to a reproduction; what cannot be meant is refused in one line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from horae.compare.arms import read_arms
from horae.compare.vary import checked
from horae.errors import ConfigError, brief, did_you_mean, require
from horae.families import made
from horae.files import read_toml
from horae.reproduce.claims import SIZES, Check, Claim, Reproduction, Side, Size
from horae.reproduce.probes import PROBES, Probe
from horae.settings import convert, flat

_PLAIN = ("words", "minutes", "experiment", "against", "target", "tune_seeds", "tune_budget", "runs", "none")
_OF_A_SIZE = (*_PLAIN, "set", "vary", "tune", "arms", "arm", "probe")
_OF_A_CHECK = ("words", "arm", "against", "measure", "direction", "paper", "within", "ratio", "sizes", "why")


def read(file: Path, folder: str | None = None) -> Reproduction:
    """A reproduction's file, looked at. Errors: ConfigError that names file and field."""
    table = read_toml(file, "reproduction file")
    name = brief(str(file), 120).strip("'")
    try:
        for key in table:
            require(key in ("claim", *SIZES, "check"), "the file", "hold [claim], [small], [paper], [[check]]", key)
        claim = made(Claim, _part(table, "claim"), "claim")
        sizes = {size: _size(_part(table, size), size, file.parent) for size in SIZES}
        listed = table.get("check", [])
        rows = isinstance(listed, list) and bool(listed)
        require(rows, "check", "have a table for each row ([[check]])", listed)
        checks = tuple(_check(_mapping(row, "check"), i) for i, row in enumerate(listed, 1))
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    return Reproduction(folder or file.absolute().parent.name, file.stem, file, claim, sizes, checks)


def _size(table: Mapping[str, Any], size: str, folder: Path) -> Size:
    """`[small]` or `[paper]`."""
    for key in table:
        if key not in _OF_A_SIZE:
            raise ConfigError(f"{size} has no {brief(key, 40)}; {did_you_mean(key, _OF_A_SIZE)}")
    hints = {"minutes": float, "against": str, "target": float, "tune_budget": int, "runs": str, "none": bool}
    of = {key: convert(table[key], hint, f"{size}.{key}") for key, hint in hints.items() if key in table}
    words = table.get("words")
    require(isinstance(words, str) and bool(words), f"{size}.words", "say what stands in for the paper's data", words)
    ways = [key for key in ("runs", "probe", "none") if table.get(key)]
    own = [key for key in ("experiment", "set", "vary", "arms", "arm", "tune") if key in table]
    require(len(ways) + bool(own) == 1, size, "have arms (vary or arm), runs, probe or none, one of these", ways + own)
    arms, inside = table.get("arms"), table.get("arm")
    require(arms is None or inside is None, f"{size}.arm", "be in this file or in another (arms)", arms)
    experiment = table.get("experiment")
    files = [folder / str(name) for name in (experiment, arms) if name is not None]
    found: dict[str, Any] = {
        "experiment": None if experiment is None else folder / str(experiment),
        "settings": flat(_mapping(table.get("set", {}), f"{size}.set")) if table.get("set") else {},
        "vary": checked(flat(_mapping(table.get("vary", {}), f"{size}.vary")), f"{size}.vary"),
        "named": tuple(read_arms(inside if arms is None else folder / str(arms))),
        "tune": checked(flat(_mapping(table.get("tune", {}), f"{size}.tune")), f"{size}.tune"),
        "tune_seeds": convert(table.get("tune_seeds", []), tuple[int, ...], f"{size}.tune_seeds"),
        "probe": _probe(_mapping(table.get("probe", {}), f"{size}.probe"), f"{size}.probe"),
    }
    return Size(str(words), digest=_digest(table, files), **of, **found)


def _check(table: Mapping[str, Any], number: int) -> Check:
    """One `[[check]]`."""
    title = f"check {number}"
    for key in table:
        if key not in _OF_A_CHECK:
            raise ConfigError(f"{title} has no {brief(key, 40)}; {did_you_mean(key, _OF_A_CHECK)}")
    for key in ("words", "measure", "direction", "paper"):
        require(isinstance(table.get(key), str) and bool(table[key]), f"{title}: {key}", "be a text", table.get(key))
    title = f"check {table['words']!r}"
    direction, measure = table["direction"], table["measure"]
    require(direction in ("higher", "lower", "same"), f"{title}: direction", "be higher, lower or same", direction)
    within, same = table.get("within", 0.0), direction == "same"
    fine = isinstance(within, int | float) and (within > 0) == same
    require(fine, f"{title}: within", "be > 0 where the direction is same, and only there", within)
    sizes = table.get("sizes", SIZES)
    known = isinstance(sizes, list | tuple) and bool(sizes) and all(size in SIZES for size in sizes)
    require(known, f"{title}: sizes", "name small, paper or both", sizes)
    arm, against = (_sides(table.get(key), f"{title}: {key}") for key in ("arm", "against"))
    require(all(side is not None for side in arm.values()), f"{title}: arm", "be an arm's name", table.get("arm"))
    ratio = bool(table.get("ratio", False)) or measure.startswith("speedup_")
    return Check(
        table["words"], arm, against, measure, direction, table["paper"], float(within), ratio, tuple(sizes),
        str(table.get("why", "")),
    )  # fmt: skip


def _sides(value: Any, title: str) -> dict[str, Any]:
    """An arm, a pair, a number or nothing, for each size."""
    if isinstance(value, Mapping):
        require(set(value) == set(SIZES), title, "say small and paper", value)
        return {size: _side(value[size], title) for size in SIZES}
    return {size: _side(value, title) for size in SIZES}


def _side(value: Any, title: str) -> Side | None:
    if value is None:
        return None
    if isinstance(value, str):
        return (value,)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    pair = isinstance(value, list) and len(value) == 2 and all(isinstance(name, str) for name in value)
    require(pair, title, 'be an arm, a pair such as ["a", "b"], or a number', value)
    return tuple(value)


def _probe(table: Mapping[str, Any], title: str) -> Probe | None:
    if not table:
        return None
    name = table.get("name")
    if name not in PROBES:
        raise ConfigError(f"{title}: there is no {brief(name, 40)}; {did_you_mean(str(name), PROBES)}")
    rest = {key: value for key, value in table.items() if key != "name"}
    found: Probe = made(PROBES[name], rest, title, str(name))
    return found


def _part(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    require(key in table, key, f"be there ([{key}])", sorted(table))
    return _mapping(table[key], key)


def _mapping(value: Any, title: str) -> Mapping[str, Any]:
    require(isinstance(value, Mapping), title, "be a table", value)
    found: Mapping[str, Any] = value
    return found


def _digest(table: Mapping[str, Any], files: list[Path]) -> str:
    """Of what decides the measurement: the table without its words, and the files that it names."""
    told = {key: value for key, value in table.items() if key not in ("words", "minutes")}
    whole = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode())
    for file in files:
        whole.update(file.read_bytes() if file.is_file() else b"")
    return whole.hexdigest()[:16]
