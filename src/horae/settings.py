"""Plain data: settings from words, values checked against annotated types, tables as TOML."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from horae.errors import require


def convert(value: Any, hint: Any, field: str) -> Any:
    """The value as the annotated type; ConfigError if it is something else. An integer is a number, true is not."""
    if get_origin(hint) is Literal:
        choices = ", ".join(map(repr, get_args(hint)))
        require(value in get_args(hint), field, f"be one of {choices}", value)
        return value
    if get_origin(hint) is tuple:
        require(isinstance(value, list | tuple), field, "be a list", value)
        return tuple(convert(item, get_args(hint)[0], field) for item in value)
    if hint is float and type(value) is int:
        return float(value)
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    require(type(value) is hint, field, f"be {words.get(hint, hint)}", value)
    require(hint is not float or math.isfinite(value), field, "be a finite number", value)
    return value


def parse_setting(text: str) -> tuple[str, Any]:
    """`clustering.gamma=0.3` as (key, value); a value that is no TOML is a text."""
    key, equals, value = text.partition("=")
    require(bool(key.strip() and equals), "--set", "look like family.field=value", text)
    try:
        return key.strip(), tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def changed(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The table after dotted changes such as {"clustering.gamma": 0.3}; a changed `name` comes first."""
    for key, value in sorted(changes.items(), key=lambda change: not change[0].endswith(".name")):
        table = _set(table, key.split("."), value)
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
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)
