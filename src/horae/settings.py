"""Plain data: settings from words, values checked against annotated types, tables as TOML."""

from __future__ import annotations

import importlib
import json
import math
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from horae.errors import ConfigError, brief, one_line, require

_HUGE = 2**63  # TOML promises no more, nor do int64 and JSON's readers
_HALF = re.compile("[\ud800-\udfff]")  # half a character: what a shell makes of bytes that are no UTF-8
_DEEPEST = 8  # a dotted key of more parts names nothing


def convert(value: Any, hint: Any, field: str) -> Any:
    """The value as the annotated type; ConfigError if it is something else. An integer is a number, true is not."""
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        known = type(value) in map(type, choices) and value in choices
        require(known, field, f"be one of {', '.join(map(repr, choices))}", value)
        return value
    if get_origin(hint) is tuple:
        require(isinstance(value, list | tuple), field, "be a list", value)
        return tuple(convert(item, get_args(hint)[0], field) for item in value)
    if hint is float and type(value) is int:
        require(abs(value) < _HUGE, field, "lie between -2^63 and 2^63", value)
        return float(value)
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    require(type(value) is hint, field, f"be {words.get(hint, hint)}", value)
    require(hint is not float or math.isfinite(value), field, "be a finite number", value)
    require(hint is not int or abs(value) < _HUGE, field, "lie between -2^63 and 2^63", value)
    require(hint is not str or not _HALF.search(value), field, "be a text that can be written to a file", value)
    return value


def imported(name: str, field: str) -> Any:
    """What "package.module:name" stands for, as a field says it. Errors: ConfigError."""
    where, _, what = name.partition(":")
    try:
        return getattr(importlib.import_module(where), what)
    except Exception as error:  # whatever somebody else's module says while it is imported
        why = one_line(f"{type(error).__name__}: {error}", 120)
        raise ConfigError(f"{field}: cannot import {brief(name)} ({why}); check the module path") from None


def parse_setting(text: str) -> tuple[str, Any]:
    """`clustering.gamma=0.3` as (key, value); a value that is no TOML is a text."""
    key, equals, value = text.partition("=")
    require(bool(key.strip() and equals), "--set", "look like family.field=value", text)
    try:
        return key.strip(), tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets a thousand deep
        raise ConfigError(
            f"--set {one_line(key, 40)} should have a value that can be read, got {brief(value)}"
        ) from None


def changed(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The table after dotted changes such as {"clustering.gamma": 0.3}; a changed `name` comes first."""
    for key, value in sorted(changes.items(), key=lambda change: not str(change[0]).endswith(".name")):
        parts = str(key).split(".")
        require(len(parts) <= _DEEPEST, "a change", "name a field, like clustering.gamma", key)
        table = _set(table, parts, value)
    return dict(table)


def dumps(table: Mapping[str, Any]) -> str:
    """Plain data as TOML: values first, then tables."""
    lines = [f"{key} = {_toml(value)}" for key, value in table.items() if not _is_table(value)]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{key}]", *(f"{k} = {_toml(v)}" for k, v in value.items())]
        elif _is_table(value):
            for entry in value:
                lines += ["", f"[[{key}]]", *(f"{k} = {_toml(v)}" for k, v in entry.items())]
    return "\n".join(lines) + "\n"


def flat(table: Any, prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, by dotted keys.

    >>> flat({"seed": 0, "training": {"lr": 0.1}})
    {'seed': 0, 'training.lr': 0.1}
    """
    if not isinstance(table, Mapping):
        return {prefix: table}
    inner = (flat(value, f"{prefix}.{name}".lstrip(".")) for name, value in table.items())
    return {key: item for part in inner for key, item in part.items()}


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Dotted keys whose values differ, with both values; None where there is no such key.

    >>> differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}})
    [('a.b', 1, 3)]
    """
    mine, theirs = flat(one), flat(other)
    keys = dict.fromkeys([*mine, *theirs])
    return [(key, mine.get(key), theirs.get(key)) for key in keys if mine.get(key) != theirs.get(key)]


def _set(table: Mapping[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    """One dotted change. A new `name` drops the fields that belonged to the old one."""
    key, *rest = keys
    if not rest:
        return {**table, key: value}
    inner = table.get(key, {})
    require(isinstance(inner, Mapping), key, "be a table", inner)
    if rest == ["name"] and inner.get("name") != value:
        inner = {}
    return {**table, key: _set(inner, rest, value)}


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped: str = json.dumps(value, ensure_ascii=False)  # TOML's escapes are JSON's, and one for DEL
        return escaped.replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)
