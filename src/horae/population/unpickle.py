"""Pickles of strangers: plain containers and plain arrays are read; whatever else one asks for is refused."""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from horae.errors import DataError, one_line

_PLAIN = re.compile(r"[biufSU]\d{1,9}")  # how numpy calls bools, numbers, bytes and texts
_REMEDY = "fetch it again from its publisher, or convert it to npz"


def restricted_load(file: Path | BinaryIO, allow: Iterable[str] = ()) -> Any:
    """The one object of a pickle, which may hold numbers, texts, bytes, None, containers of these and plain arrays.

    Nothing that a pickle names is imported, except `allow`: dotted names such as "collections.OrderedDict". The bytes
    of Python 2 become texts, letter by letter. Raises DataError: refused by name, or broken.
    """
    if isinstance(file, Path):
        try:
            with file.open("rb") as opened:
                return restricted_load(opened, allow)
        except OSError as error:
            raise DataError(f"cannot read {one_line(file)}: {error.strerror}") from None
    name = one_line(getattr(file, "name", "the pickle"))
    try:
        data = file.read()
        _look_over(data, name)
        reader = _Reader(io.BytesIO(data), name, frozenset(allow))
        value = reader.load()
        return _finished(value, {}) if reader.arrays else value
    except DataError:
        raise
    except Exception as error:  # a stranger's bytes make pickle say anything
        why = one_line(f"{type(error).__name__}: {error}", 120)
        raise DataError(f"{name} should be a whole pickle, got {why}; {_REMEDY}") from None


def _look_over(data: bytes, name: str) -> None:
    """Refuse a pickle that would take more memory than its own size explains: raises DataError, ValueError."""
    for op, arg, _ in pickletools.genops(data):
        memo = op.name in ("PUT", "BINPUT", "LONG_BINPUT")
        if memo and not 0 <= int(arg or 0) <= len(data):  # memory is taken for each
            raise DataError(f"{name} is refused: its pickle asks for more memory than it can need; {_REMEDY}")


class _Reader(pickle.Unpickler):
    """Knows by name only what rebuilds arrays, and what it was allowed."""

    def __init__(self, file: BinaryIO, name: str, allow: frozenset[str]) -> None:
        super().__init__(file, encoding="latin1")
        self._name, self._allow, self.arrays = name, allow, False

    def find_class(self, module: str, name: str) -> Any:
        """What a global name stands for here; never what it stands for elsewhere."""
        dotted = f"{module}.{name}"
        if dotted in self._allow:
            return super().find_class(module, name)
        known = _NAMES.get(dotted.replace("numpy._core.", "numpy.core.").replace("__builtin__.", "builtins."))
        if known is None:
            raise DataError(f"{self._name} is refused: its pickle asks for {one_line(dotted, 80)}; {_REMEDY}")
        self.arrays = True
        return known

    def persistent_load(self, pid: Any) -> Any:
        """Nothing lies outside of the file."""
        raise DataError(f"{self._name} is refused: its pickle asks for something outside of it; {_REMEDY}")


class _Sealed:
    """A callable that a pickle can call and cannot change."""

    __slots__ = ("_does",)

    def __init__(self, does: Callable[..., Any]) -> None:
        self._does = does

    def __call__(self, *given: Any) -> Any:
        return self._does(*given)

    def __setstate__(self, state: Any) -> None:
        raise ValueError("it changes what rebuilds arrays")


class _Dtype:
    """A type of plain numbers, bytes or texts; its order of bytes is told afterwards."""

    __slots__ = ("_order", "_spec")

    def __init__(self, spec: Any, *_flags: Any) -> None:
        if not isinstance(spec, str) or not _PLAIN.fullmatch(spec):
            raise ValueError(f"an array of {one_line(spec, 40)}, which are no plain numbers")
        self._spec, self._order = spec, "="

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise ValueError("an unknown order of bytes")
        self._order = order

    @property
    def numpy(self) -> np.dtype[Any]:
        """As numpy has it."""
        return np.dtype(self._order.replace("|", "=") + self._spec)


class _Array:
    """An array that is being rebuilt."""

    __slots__ = ("value",)

    def __init__(self, *_given: Any) -> None:
        self.value: NDArray[Any] | np.generic = np.empty(0)

    def __setstate__(self, state: Any) -> None:
        _version, shape, dtype, fortran, data = state
        self.value = _filled(data, dtype, shape, "F" if fortran else "C")


def _filled(data: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    """The bytes as an array of its own."""
    if not isinstance(dtype, _Dtype) or not isinstance(data, str | bytes | bytearray):
        raise ValueError("an array of something else than plain numbers")
    held = data.encode("latin1") if isinstance(data, str) else data
    flat = np.frombuffer(held, dtype.numpy)
    if int(np.prod(shape)) != flat.size or min(shape, default=0) < 0:
        raise ValueError(f"{flat.size} numbers for an array {one_line(shape, 40)}")
    return flat.reshape(shape, order="F" if order == "F" else "C").copy()


def _scalar(dtype: Any, data: Any) -> _Array:
    held = _Array()
    held.value = _filled(data, dtype, (1,), "C")[0]
    return held


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any, *_axes: Any) -> _Array:
    held = _Array()
    held.value = _filled(data, dtype, shape, order)
    return held


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes that are no bytes")
    return text.encode("latin1")


_NAMES = {
    "numpy.core.multiarray._reconstruct": _Sealed(_Array),
    "numpy.core.multiarray.scalar": _Sealed(_scalar),
    "numpy.core.numeric._frombuffer": _Sealed(_frombuffer),
    "numpy.ndarray": _Sealed(_Array),
    "numpy.dtype": _Sealed(_Dtype),
    "_codecs.encode": _Sealed(_encode),
    "builtins.bytes": _Sealed(lambda: b""),  # how old protocols write no bytes at all
}


def _finished(value: Any, seen: dict[int, Any]) -> Any:
    """The same containers with numpy's arrays in place of those that were being rebuilt."""
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, _Dtype | _Sealed):
        raise ValueError("a type among the data")
    if not isinstance(value, dict | list | tuple):
        return value
    if id(value) not in seen:
        if isinstance(value, dict):
            seen[id(value)] = {key: _finished(item, seen) for key, item in value.items()}
        else:
            seen[id(value)] = type(value)(_finished(item, seen) for item in value)
    return seen[id(value)]
