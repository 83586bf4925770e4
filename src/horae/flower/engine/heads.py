"""The engine's messages as bytes: a table of plain values in place of each dataclass, every field of its type."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

import numpy as np
from flwr.app import ArrayRecord, RecordDict

from horae.engines.messages import Answer, ClientFailure, Question, Recipe, Reply, Task, Visit
from horae.errors import WireError
from horae.flower.engine.wire import PAYLOAD, Parts, closed, opened
from horae.pure.packing import PackingError, pack, unpack
from horae.types import Ref

TAG = "is"  # no field is called so
TO_NODES: tuple[type, ...] = (Task, Question, Visit)
TO_SERVER: tuple[type, ...] = (Reply, Answer, ClientFailure)
_INNER: tuple[type, ...] = (Recipe, Ref)


def packed(message: Any) -> Parts:
    """A message as bytes."""
    payload = getattr(message, PAYLOAD, b"")
    return Parts(pack(_plain(replace(message, payload=b"") if payload else message)), payload)


def unpacked(parts: Parts, kinds: tuple[type, ...]) -> Any:
    """The message of one of these kinds. Errors: WireError."""
    try:
        message = _made(unpack(parts.head), kinds)
    except (PackingError, KeyError, TypeError, ValueError) as error:
        raise WireError(f"its head cannot be read: {error}") from None
    if not parts.payload:
        return message
    if not any(f.name == PAYLOAD for f in fields(message)):
        raise WireError("its arrays are of another form")
    return replace(message, payload=parts.payload)


def content(message: Any, arrays: ArrayRecord | None = None) -> RecordDict:
    """What Flower carries. arrays: of its payload, where that was made before."""
    return closed(packed(message), arrays)


def message_of(found: RecordDict, kinds: tuple[type, ...], most: int) -> Any:
    """The message of one of these kinds. most: bytes that its payload may have. Errors: WireError."""
    return unpacked(opened(found, most), kinds)


def _plain(value: Any) -> Any:
    """A message as what can be packed: tables in place of dataclasses, arrays in place of bytes."""
    if is_dataclass(value):
        return {TAG: type(value).__name__} | {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value


def _made(table: Any, kinds: tuple[type, ...]) -> Any:
    """The dataclass again, each field of the type that it has there."""
    if not isinstance(table, dict):
        raise WireError("its head is no table")
    named = {kind.__name__: kind for kind in kinds}
    if table.get(TAG) not in named:
        raise WireError(f"it should be one of {', '.join(named)}")
    kind = named[table[TAG]]
    hints = get_type_hints(kind)
    if set(table) != {TAG, *hints}:
        raise WireError(f"a {kind.__name__} has other fields here: install the same version of horae")
    return kind(**{name: _typed(table[name], hint, name) for name, hint in hints.items()})


def _typed(value: Any, hint: Any, name: str) -> Any:
    options = get_args(hint) if type(None) in get_args(hint) else (hint,)
    if value is None and type(None) in options:
        return None
    hint = next(option for option in options if option is not type(None))
    if hint in _INNER:
        return _made(value, (hint,))
    if hint is bytes and isinstance(value, np.ndarray) and value.dtype == np.uint8:
        return value.tobytes()
    if hint is float and type(value) is int:
        return float(value)
    path = isinstance(value, tuple) and all(type(step) is int for step in value)
    if type(value) is hint or (hint not in (int, float, str, bytes) and path):
        return value
    raise WireError(f"its {name} is a {type(value).__name__}")
