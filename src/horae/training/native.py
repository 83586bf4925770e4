"""The path for logistic regression and perceptrons where there is a C compiler: `kernel.c`, compiled once per machine.

A client's weights stay in the processor's cache from its first step to its last, and the weights are changed while
their gradient is summed: there is nothing left to wait for but arithmetic.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from horae.training.compiling import compiled_library
from horae.training.descent import BETA1, BETA2, EPSILON
from horae.training.layout import Layout
from horae.training.plan import Batches, Training
from horae.training.stack import Affine
from horae.training.work import Work
from horae.types import Bools, Doubles, Floats, Ints

SOURCE = Path(__file__).with_name("kernel.c")
LANES, FOUR, MOST_LAYERS = 16, 4, 32
TESTED = 24  # samples at once: they and the weights fit the second cache
FLAGS = (  # the best that the compiler takes
    ("-O3", "-march=native", "-mprefer-vector-width=512", "-ffp-contract=fast"),
    ("-O3", "-march=native", "-ffp-contract=fast"),
    ("-O3",),
)


class _Layer(ctypes.Structure):
    _fields_ = (
        ("inputs", ctypes.c_int64), ("outputs", ctypes.c_int64), ("relu", ctypes.c_int64), ("bias?", ctypes.c_int64),
        ("out_pad", ctypes.c_int64), ("weight", ctypes.c_int64), ("bias", ctypes.c_int64),
    )  # fmt: skip


class Rule(ctypes.Structure):
    """How a client descends: the kernel's `rule`."""

    _fields_ = (
        *((name, ctypes.c_float) for name in ["lr", "momentum", "weight_decay", "prox", "beta1", "beta2", "epsilon"]),
        ("adam", ctypes.c_int32),
    )


class _Data(ctypes.Structure):
    _fields_ = (
        ("x", ctypes.c_void_p), ("y", ctypes.c_void_p), ("stride", ctypes.c_int64), ("steps", ctypes.c_int64),
        ("batch", ctypes.c_int64), ("zeros", ctypes.c_void_p),
    )  # fmt: skip


class _Room(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in ("floats", "rows", "labels", "shares"))


@dataclass(frozen=True)
class Place:
    """Where a tensor of shape (outputs, inputs) lies, in the flat vector and in the kernel: transposed, and wider."""

    here: slice
    there: slice
    shape: tuple[int, int]


@dataclass(frozen=True)
class Padding:
    """Where a stack's weights lie in the kernel: rows of whole vectors, one per input, then the bias."""

    layers: tuple[tuple[int, ...], ...]  # the kernel's `layer`, field by field
    size: int
    places: tuple[Place, ...]

    @classmethod
    def of(cls, stack: tuple[Affine, ...], layout: Layout) -> Padding:
        """The places of this stack's weights."""
        slots = {slot.name: slot for slot in layout.slots}
        layers, places, size = [], [], 0
        for affine in stack:
            weight = slots[affine.weight]
            out, inputs = weight.shape
            width, at = _up(out, LANES), size
            bias = at + _up(inputs, FOUR) * width
            size = bias + width
            places.append(Place(_part(weight.start, out * inputs), _part(at, inputs * width), (out, inputs)))
            if affine.bias:
                places.append(Place(_part(slots[affine.bias].start, out), _part(bias, width), (out, 1)))
            layers.append((inputs, out, int(affine.relu), int(affine.bias is not None), width, at, bias))
        return cls(tuple(layers), size, tuple(places))

    def into(self, vector: np.ndarray[Any, Any]) -> Floats:
        """A flat vector `(P,)` in the kernel's layout."""
        padded = np.zeros(self.size, np.float32)
        for place in self.places:
            out, inputs = place.shape
            padded[place.there].reshape(inputs, -1)[:, :out] = vector[place.here].reshape(out, inputs).T
        return padded


@dataclass(frozen=True)
class Native:
    """Clients one after the other in C. Honours momentum, weight decay, Adam, corrections and submodels.

    x `(samples, inputs)`, y `(samples,)`.
    """

    padding: Padding
    training: Training
    x: Tensor
    y: Tensor

    name = "native"

    @classmethod
    def of(cls, stack: tuple[Affine, ...], layout: Layout, training: Training, x: Tensor, y: Tensor) -> Native:
        """For samples `(samples, inputs)`."""
        return cls(Padding.of(stack, layout), training, x.contiguous(), y)

    def grain(self, clients: int) -> int:
        """Every client is trained by itself."""
        return 1

    def train(self, work: Work, plan: Batches, updates: Floats) -> tuple[Floats, Doubles]:
        """Fill updates `(q, P)`; plan: with rows of the dataset. Returns buffers and each step's summed losses."""
        kernel = _kernel()
        clients, steps, batch = plan.index.shape
        size, depth = self.padding.size, len(self.padding.layers)
        layers = _layers(self.padding.layers)
        start, keep, drift = self._bent(work)
        zeros, losses = np.zeros(self.x.shape[1], np.float32), np.zeros((clients, steps))
        data = _Data(self.x.data_ptr(), self.y.data_ptr(), self.x.shape[1], steps, batch, at(zeros))
        room, _held = _room(size + kernel.scratch_size(layers, depth, size, batch), depth, batch)
        columns = [np.ascontiguousarray(column) for column in (plan.index, plan.weight, plan.counts)]
        each = 0 if drift is None or len(drift) == 1 else drift.shape[1]
        kernel.train(
            layers, depth, size, at(start), ctypes.byref(data), ctypes.byref(rule_of(work, self.training)), at(drift),
            each, at(keep), *map(at, columns), clients, ctypes.byref(room), at(updates),
            updates.shape[1], at(losses),
        )  # fmt: skip
        return np.repeat(work.buffers[None], clients, 0), losses

    def test(self, params: Floats, index: Ints) -> tuple[Bools, Floats]:
        """Whether each of the samples `index (n,)` is classified right, and its loss."""
        kernel, layers, depth = _kernel(), _layers(self.padding.layers), len(self.padding.layers)
        index, w = np.ascontiguousarray(index), self.padding.into(params)
        right, losses = np.empty(len(index), np.bool_), np.empty(len(index), np.float32)
        data = _Data(self.x.data_ptr(), self.y.data_ptr(), self.x.shape[1], 1, TESTED, None)
        room, _held = _room(kernel.scratch_size(layers, depth, 0, TESTED), depth, TESTED)
        kernel.test(
            layers,
            depth,
            at(w),
            ctypes.byref(data),
            at(index),
            len(index),
            ctypes.byref(room),
            at(right),
            at(losses),
        )
        return right, losses

    def _bent(self, work: Work) -> tuple[Floats, Floats | None, Floats | None]:
        """Start and living weights in the kernel's layout, and drift `(1 or clients, P)` in its own."""
        into, drift = self.padding.into, work.correction.drift
        keep = None if work.keep is None else into(work.keep.astype(np.float32))
        bent = None if drift is None else np.ascontiguousarray(np.atleast_2d(drift), np.float32)
        return into(work.start().numpy()), keep, bent


def rule_of(work: Work, training: Training) -> Rule:
    """How the clients of this work descend; training: the experiment's table."""
    t = work.table or training
    lr = t.lr_at(work.round) * work.lr_scale
    adam = t.optimizer == "adam"
    return Rule(lr, t.momentum, t.weight_decay, work.correction.prox, BETA1, BETA2, EPSILON, adam)


def _room(floats: int, depth: int, batch: int) -> tuple[_Room, tuple[np.ndarray[Any, Any], ...]]:
    """What the kernel works in, and the arrays that it is made of, to be held meanwhile."""
    full = _up(batch, FOUR)
    arrays = (
        np.zeros(floats, np.float32),
        np.zeros((depth + 1) * full, np.uintp),
        np.zeros(full, np.int64),
        np.zeros(full, np.float32),
    )
    return _Room(*(array.ctypes.data for array in arrays)), arrays


def _kernel() -> ctypes.CDLL:
    kernel = compiled()
    assert kernel is not None  # whoever chose this path has looked
    return kernel


@cache
def compiled() -> ctypes.CDLL | None:
    """The kernel, compiled if it was not yet; None where there is no compiler, or where it is not to be trusted."""
    library = _typed(compiled_library(SOURCE, FLAGS))
    return library if library is not None and _agrees(library) else None


def _typed(library: ctypes.CDLL | None) -> ctypes.CDLL | None:
    if library is None:
        return None
    array, number = ctypes.c_void_p, ctypes.c_int64
    library.scratch_size.argtypes, library.scratch_size.restype = (array, number, number, number), number
    head = (array, number, number, array, array, array, array, number)
    library.train.argtypes = (*head, array, array, array, array, number, array, array, number, array)
    library.test.argtypes = (array, number, array, array, array, number, array, array, array)
    library.train.restype = library.test.restype = None
    return library


def _agrees(library: ctypes.CDLL) -> bool:
    """A compiler may be wrong: one step of one client on a model whose gradient is known."""
    layers, size = _layers(((3, 2, 0, 0, 16, 0, 64),)), 80
    start, x, updates, losses = (np.zeros(n, np.float32) for n in (size, 3, 6, 2))
    x[:] = (1.0, 2.0, -1.0)
    index, weight, counts, y = np.zeros(1, np.int64), np.ones(1, np.float32), np.ones(1, np.int64), np.ones(1, np.int64)
    zeros = np.zeros(3, np.float32)
    data, rule = _Data(at(x), at(y), 3, 1, 1, at(zeros)), Rule(1.0, 0.0, 0.0, 0.0, BETA1, BETA2, EPSILON, 0)
    room, _held = _room(4096, 1, 1)
    library.train(
        layers, 1, size, at(start), ctypes.byref(data), ctypes.byref(rule), None, 0, None, at(index), at(weight),
        at(counts), 1, ctypes.byref(room), at(updates), 6, at(losses),
    )  # fmt: skip
    return bool(np.allclose(updates, [-0.5, -1.0, 0.5, 0.5, 1.0, -0.5], atol=1e-6))


def _layers(rows: tuple[tuple[int, ...], ...]) -> ctypes.Array[_Layer]:
    return (_Layer * len(rows))(*(_Layer(*row) for row in rows))


def at(array: np.ndarray[Any, Any] | None) -> int | None:
    """Where an array lies, for C; null for None."""
    return None if array is None else array.ctypes.data


def _up(n: int, m: int) -> int:
    """The next multiple of m."""
    return -(-n // m) * m


def _part(start: int, size: int) -> slice:
    return slice(start, start + size)
