"""Values as bytes and back, exactly, and without running anything that the bytes say.

What may be packed: None, booleans, numbers, texts, lists, tuples, dictionaries, numpy arrays and scalars, and
dataclasses made of these. That is what a component's state must be made of.

    8 bytes   length of the header, little-endian
    header    JSON: the value, with arrays and classes as numbers into two tables
    arrays    one after the other, each beginning at a multiple of 64 bytes
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

ALIGN = 64
_PLAIN = (type(None), bool, int, float, str)


class PackingError(ValueError):
    """A value cannot be packed, or bytes are not a packed value."""


def pack(value: Any) -> bytes:
    """The value as bytes. An array that occurs twice is stored once.

    Errors: PackingError names the place of what cannot be packed.
    """
    packer = _Packer()
    node = packer.node(value, "")
    header = json.dumps({"value": node, "classes": packer.classes, "arrays": packer.table}, separators=(",", ":"))
    text = header.encode()
    text += b" " * (-(8 + len(text)) % ALIGN)
    return b"".join([len(text).to_bytes(8, "little"), text, *packer.blocks])


def unpack(data: bytes) -> Any:
    """The value that was packed; arrays are fresh and writable.

    A dataclass is looked up among the modules that are loaded, and filled without calling it. Errors: PackingError.
    """
    try:
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        return _Unpacker(header["classes"], header["arrays"], memoryview(data)[start:]).value(header["value"])
    except PackingError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise PackingError(f"not a packed value: {error}") from None


class _Packer:
    def __init__(self) -> None:
        self.classes: list[tuple[str, list[str]]] = []
        self.table: list[tuple[str, list[int], str, int]] = []
        self.blocks: list[bytes] = []
        self._class_index: dict[type, int] = {}
        self._array_index: dict[tuple[Any, ...], int] = {}
        self._alive: list[np.ndarray[Any, Any]] = []  # an address means an array only as long as that lives
        self._size = 0

    def node(self, value: Any, where: str) -> Any:
        """JSON for one value. Plain ones stand for themselves, all others are lists that begin with a letter."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is list or kind is tuple:
            return ["l" if kind is list else "t", *(self.node(item, f"{where}[{i}]") for i, item in enumerate(value))]
        if kind is dict:
            pairs = ((self.node(k, f"{where} key"), self.node(v, f"{where}[{k!r}]")) for k, v in value.items())
            return ["d", *(item for pair in pairs for item in pair)]
        if kind is np.ndarray:
            return ["a", self._array(value, where)]
        if isinstance(value, np.generic):
            return ["s", self._array(np.asarray(value), where)]
        if is_dataclass(kind):
            number = self._class(kind)
            own = (self.node(getattr(value, name), f"{where}.{name}") for name in self.classes[number][1])
            return ["c", number, *own]
        raise PackingError(f"{where.lstrip('.') or 'the value'} is a {kind.__name__}, which cannot be stored")

    def _class(self, kind: Any) -> int:
        if kind not in self._class_index:
            self._class_index[kind] = len(self.classes)
            self.classes.append((f"{kind.__module__}:{kind.__qualname__}", [f.name for f in fields(kind)]))
        return self._class_index[kind]

    def _array(self, array: np.ndarray[Any, Any], where: str) -> int:
        if array.dtype.hasobject:
            raise PackingError(f"{where.lstrip('.')} is an array of objects, which cannot be stored")
        dtype = array.dtype.str
        key = (array.__array_interface__["data"][0], array.shape, array.strides, dtype)
        if array.size and key in self._array_index:
            return self._array_index[key]
        self._alive.append(array)
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        block = array.tobytes(order)  # type: ignore[arg-type]
        self.table.append((dtype, list(array.shape), order, self._size))
        padding = -len(block) % ALIGN
        self.blocks += [block, bytes(padding)]
        self._size += len(block) + padding
        self._array_index[key] = len(self.table) - 1
        return len(self.table) - 1


class _Unpacker:
    def __init__(self, classes: list[Any], table: list[Any], data: memoryview) -> None:
        self._classes = [_find(name, names) for name, names in classes]
        self._arrays = [_read(data, *row) for row in table]

    def value(self, node: Any) -> Any:
        if not isinstance(node, list):
            return node
        kind, *rest = node
        if kind == "l":
            return [self.value(item) for item in rest]
        if kind == "t":
            return tuple(self.value(item) for item in rest)
        if kind == "d":
            items = [self.value(item) for item in rest]
            return dict(zip(items[::2], items[1::2], strict=True))
        if kind == "a":
            return self._arrays[rest[0]]
        if kind == "s":
            return self._arrays[rest[0]][()]
        if kind == "c":
            cls, names = self._classes[rest[0]]
            made: Any = object.__new__(cls)
            for name, item in zip(names, rest[1:], strict=True):
                object.__setattr__(made, name, self.value(item))
            return made
        raise PackingError(f"not a packed value: unknown kind {kind!r}")


def _find(name: str, names: list[str]) -> tuple[type, list[str]]:
    """A dataclass by its name, if its module is loaded and its fields are still the same."""
    where, _, what = name.partition(":")
    found: Any = sys.modules.get(where)
    for step in what.split("."):
        found = getattr(found, step, None)
    if not isinstance(found, type) or not is_dataclass(found):
        raise PackingError(f"there is no dataclass {name} here")
    if [f.name for f in fields(found)] != names:
        raise PackingError(f"{name} has other fields now")
    return found, names


def _read(data: memoryview, dtype: str, shape: list[int], order: str, offset: int) -> np.ndarray[Any, Any]:
    kind, count = np.dtype(dtype), int(np.prod(shape, dtype=np.int64))
    if kind.hasobject or offset < 0 or count < 0:
        raise PackingError("not a packed value: a bad array")
    flat = np.frombuffer(data, kind, count, offset).copy() if count else np.zeros(0, kind)
    return flat.reshape(shape, order="F" if order == "F" else "C")
