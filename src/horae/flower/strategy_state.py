"""Flower records, and what a strategy has learnt, as values that a checkpoint can hold; without pickle.

A strategy is an object of somebody else: what it has learnt is those of its attributes that differ from a fresh one's.
Numbers, texts, numpy arrays, Flower's records, and lists, tuples and dictionaries of these can be held, and so can a
strategy inside it; nothing else can.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.errors import RunError
from horae.pure.packing import PackingError, pack

_PLAIN = (type(None), bool, int, float, str)
_SETTINGS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, type, functools.partial)


@dataclass(frozen=True)
class Raw:
    """Bytes."""

    data: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Record:
    """A record of Flower's. kind: "ArrayRecord", "MetricRecord" or "ConfigRecord"; items: by key."""

    kind: str
    items: dict[str, Any]


@dataclass(frozen=True)
class Packed:
    """One array of an ArrayRecord, as Flower sends it."""

    dtype: str
    shape: tuple[int, ...]
    stype: str
    data: Raw


@dataclass(frozen=True)
class Inner:
    """What a strategy inside a strategy has learnt."""

    learnt: dict[str, Any]


@dataclass(frozen=True)
class Inside:
    """What a cohort's file holds beside its flat model: its arrays, and what its strategy has learnt."""

    arrays: Record
    learnt: dict[str, Any]


def recorded(value: Any) -> Any:
    """The value as one that can be packed. Errors: PackingError."""
    kind = type(value)
    if kind in _PLAIN or kind is np.ndarray or isinstance(value, np.generic):
        return value
    if kind is bytes:
        return Raw(np.frombuffer(value, np.uint8))
    if kind is list or kind is tuple:
        return kind(recorded(item) for item in value)
    if kind is dict:
        return {key: recorded(item) for key, item in value.items()}
    if kind.__name__ in ("ArrayRecord", "MetricRecord", "ConfigRecord"):
        return Record(kind.__name__, {key: recorded(item) for key, item in value.items()})
    if kind.__name__ == "Array" and hasattr(value, "stype"):
        return Packed(value.dtype, tuple(value.shape), value.stype, recorded(value.data))
    raise PackingError(f"a {kind.__name__} cannot be stored")


def restored(value: Any) -> Any:
    """The value that was recorded."""
    if isinstance(value, Raw):
        return value.data.tobytes()
    if isinstance(value, list | tuple):
        return type(value)(restored(item) for item in value)
    if isinstance(value, dict):
        return {key: restored(item) for key, item in value.items()}
    if isinstance(value, Record):
        import flwr.app

        return getattr(flwr.app, value.kind)({key: restored(item) for key, item in value.items.items()})
    if isinstance(value, Packed):
        from flwr.app import Array

        return Array(value.dtype, tuple(value.shape), value.stype, restored(value.data))
    return value


def learnt(strategy: Any, fresh: Any) -> dict[str, Any]:
    """What a strategy has learnt, by attribute. fresh: one as it was made."""
    found = {}
    for name, value in _attributes(strategy).items():
        first = _attributes(fresh).get(name)
        if value is first or isinstance(value, _SETTINGS):
            continue
        if _is_strategy(value) and _is_strategy(first):
            inside = learnt(value, first)
            if inside:
                found[name] = Inner(inside)
            continue
        try:
            now = recorded(value)
            if not _same(now, first):
                found[name] = now
        except PackingError:
            continue  # see `forgotten`
    return found


def taught(strategy: Any, state: Mapping[str, Any]) -> Any:
    """The strategy, with what another one has learnt. Errors: RunError if it is of another make."""
    for name, value in state.items():
        if isinstance(value, Inner):
            if not _is_strategy(getattr(strategy, name, None)):
                raise RunError(f"strategy_factory should make the strategy that the checkpoint has, with one inside as "
                               f".{name}; got {type(strategy).__name__}")  # fmt: skip
            taught(getattr(strategy, name), value.learnt)
        else:
            setattr(strategy, name, restored(value))
    return strategy


def forgotten(strategy: Any) -> list[str]:
    """Attributes that a checkpoint cannot hold and that may change, as "Name.attribute (kind)"."""
    found: list[str] = []
    for name, value in _attributes(strategy).items():
        if isinstance(value, _SETTINGS):
            continue
        if _is_strategy(value):
            found += forgotten(value)
            continue
        try:
            pack(recorded(value))
        except PackingError:
            found.append(f"{type(strategy).__name__}.{name} ({type(value).__name__})")
    return found


def _same(now: Any, first: Any) -> bool:
    """Is it as it was made? Whatever cannot be compared is not."""
    if type(now) in _PLAIN or type(first) in _PLAIN:
        return type(now) is type(first) and bool(now == first)
    try:
        return pack(now) == pack(recorded(first))
    except PackingError:
        return False


def _is_strategy(value: Any) -> bool:
    return all(callable(getattr(value, verb, None)) for verb in ("configure_train", "aggregate_train"))


def _attributes(strategy: Any) -> dict[str, Any]:
    return dict(getattr(strategy, "__dict__", {}))
