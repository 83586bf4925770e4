"""The engine's messages as Flower's: a head of plain values, and the arrays as one record of bytes.

Flower cuts arrays into chunks that are named by their content, so a model that many nodes get is uploaded once.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from horae.engines.messages import Answer, ClientFailure, Question, Recipe, Reply, Task, Visit
from horae.errors import WireError
from horae.pure.packing import PackingError, pack, unpack
from horae.types import Ref

HEAD, ARRAYS, PAYLOAD, TAG = "horae", "horae.arrays", "payload", "is"  # no field is called so
TO_NODES: tuple[type, ...] = (Task, Question, Visit)
TO_SERVER: tuple[type, ...] = (Reply, Answer, ClientFailure)
_INNER: tuple[type, ...] = (Recipe, Ref)


def content(message: Any, arrays: ArrayRecord | None = None) -> RecordDict:
    """What Flower carries. arrays: of its payload, where that was made before."""
    payload = getattr(message, PAYLOAD, b"")
    head = replace(message, payload=b"") if payload else message
    found = RecordDict({HEAD: ConfigRecord({"head": pack(_plain(head))})})
    if payload:
        found[ARRAYS] = arrays if arrays is not None else array_record(payload)
    return found


def array_record(payload: bytes) -> ArrayRecord:
    """Bytes as arrays, which Flower moves in chunks."""
    return ArrayRecord({PAYLOAD: Array(np.frombuffer(payload, np.uint8))})


def message_of(found: RecordDict, kinds: tuple[type, ...], most: int) -> Any:
    """The message of one of these kinds. most: bytes that its payload may have. Errors: WireError."""
    head = found.get(HEAD)
    if not isinstance(head, ConfigRecord) or not isinstance(head.get("head"), bytes):
        raise WireError("it is no message of horae's; is the ClientApp horae.flower.client_app?")
    try:
        message = _made(unpack(head["head"]), kinds)
    except (PackingError, KeyError, TypeError, ValueError) as error:
        raise WireError(f"its head cannot be read: {error}") from None
    arrays = found.get(ARRAYS)
    if not isinstance(arrays, ArrayRecord):
        return message
    if set(arrays) != {PAYLOAD} or sum(len(a.data) for a in arrays.values()) > most + 1024:
        raise WireError(f"it is larger than {most:,} bytes, or of another form")
    flat = arrays[PAYLOAD].numpy()
    if flat.dtype != np.uint8 or flat.ndim != 1 or not any(f.name == PAYLOAD for f in fields(message)):
        raise WireError("its arrays are of another form")
    return replace(message, payload=flat.tobytes())


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
