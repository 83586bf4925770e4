"""The kernel's side of bags of words: what `kernel.c` is handed, and whether it is to be trusted."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from horae.training.native import Rule, at, compiled
from horae.training.sparse_texts import LANES, Texts
from horae.types import Floats, SparseUpdates

WIDE = (4, 8)  # a row's floats: one of these, or a multiple of LANES
HALVES = 4  # times as long as the model all updates are, from which on halves of them are added up
STRANDS = 7  # rows that a rule works on: weights, start, drift, living, gradient, two moments


class Bags(ctypes.Structure):
    """The kernel's `bags`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("classes", "width", "features", "steps", "batch")),
        *((name, ctypes.c_void_p) for name in ("words", "offsets", "y", "place", "names", "own")),
        *((name, ctypes.c_void_p) for name in ("table", "z", "shares", "labels")),
        ("rows", ctypes.c_int64),
    )


class Changes(ctypes.Structure):
    """The kernel's `changes`."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("heads", "values", "names", "counts")),
        *((name, ctypes.c_int64) for name in ("clients", "head", "width")),
        *((name, ctypes.c_int64) for name in ("heads_apart", "values_apart", "names_apart")),
    )


def bags_of(texts: Texts, steps: int, batch: int, rows: int, own: int) -> tuple[Bags, tuple[Any, ...]]:
    """The kernel's view of some texts, and the room it works in, to be held meanwhile."""
    classes = texts.classes
    width = next((w for w in WIDE if classes <= w), -(-classes // LANES) * LANES)
    held = (
        np.zeros(texts.features if rows else 0, np.int32),
        np.empty(rows + 1, np.int32),
        np.empty(own, np.int32),
        np.empty(STRANDS * (rows + 1) * width, np.float32),
        np.zeros(batch * (-(-classes // LANES) * LANES), np.float32),
        np.empty(batch, np.float32),
        np.empty(batch, np.int64),
    )
    words, offsets, y = (column.data_ptr() for column in (texts.words, texts.offsets, texts.y))
    room = (array.ctypes.data for array in held)
    return Bags(classes, width, texts.features, steps, batch, words, offsets, y, *room, rows), held


@dataclass(frozen=True)
class Compiled:
    """Sums of sparse updates by the kernel: a `Quick`. threads: that add up; they change no bit."""

    threads: int = 1

    def add(self, updates: SparseUpdates, shares: Floats, total: Floats) -> None:
        """Σ_i shares_i update_i; where updates are long beside the model, the first half's and the second's."""
        clients, columns = len(updates), updates.values.shape[2]
        first = clients // 2 if columns * int(updates.counts.sum()) >= HALVES * len(total) else 0
        totals = [total, np.zeros_like(total)] if first else [total]
        library, cuts = kernel(), [slice(0, first), slice(first, clients)][-len(totals) :]

        def part(to: Floats, cut: slice) -> None:
            own = np.ascontiguousarray(shares[cut])
            library.add_changes(ctypes.byref(_changes(updates, cut)), at(own), at(to))

        self._each(part, totals, cuts)
        for other in totals[1:]:
            total += other

    def fold(self, updates: SparseUpdates, flip: Floats, folded: Floats) -> None:
        """Coordinate i of each update, times flip_i, into i mod dims."""
        library, edges = kernel(), np.linspace(0, len(updates), self.threads + 1).astype(int)
        cuts = [slice(*edge) for edge in pairwise(edges)]

        def part(to: Floats, cut: slice) -> None:
            library.fold_changes(ctypes.byref(_changes(updates, cut)), at(flip), folded.shape[1], at(to))

        self._each(part, [folded[cut] for cut in cuts], cuts)

    def _each(self, part: Callable[[Floats, slice], None], to: list[Floats], cuts: list[slice]) -> None:
        if self.threads == 1 or len(cuts) == 1:
            for own in zip(to, cuts, strict=True):
                part(*own)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(part, to, cuts))


def _changes(updates: SparseUpdates, clients: slice) -> Changes:
    columns = (updates.heads[clients], updates.values[clients], updates.names[clients])
    apart = (column.strides[0] // 4 for column in columns)
    (some, head), width = columns[0].shape, columns[1].shape[2]
    return Changes(*map(at, columns), at(updates.counts[clients]), some, head, width, *apart)


def kernel() -> ctypes.CDLL:
    """The library, where `compiled_sparse` finds one."""
    library = compiled_sparse()
    assert library is not None  # whoever chose this path has looked
    return library


@cache
def compiled_sparse() -> ctypes.CDLL | None:
    """The kernel, or None where there is none, or where it gets a step wrong that is known."""
    library = compiled()
    if library is None:
        return None
    array, number = ctypes.c_void_p, ctypes.c_int64
    head = (array, array, array, array, number, array, number, number)
    library.train_bags.argtypes = (*head, array, array, array, number, array, number, array)
    library.test_bags.argtypes = (array, array, array, number, array, array)
    library.add_changes.argtypes, library.fold_changes.argtypes = (array, array, array), (array, array, number, array)
    library.train_bags.restype = library.test_bags.restype = None
    library.add_changes.restype = library.fold_changes.restype = None
    return library if _agrees(library) else None


def _agrees(library: ctypes.CDLL) -> bool:
    """One step from zero: both classes have probability ½, so that a word of a sample of class 1 gains ½ there."""
    column = (torch.tensor([2, 2, 1], dtype=torch.int32), torch.tensor([0, 3]), torch.tensor([1]))
    texts = Texts(*column, features=4, classes=2)
    bags, _held = bags_of(texts, 1, 1, 3, 3)
    start, found, losses = np.zeros(10 + LANES, np.float32), np.zeros(10, np.float32), np.zeros(1)
    rule = Rule(1.0, 0.0, 0.0, 0.0, 0.9, 0.999, 1e-8, 0)
    index, weight, counts = np.zeros(1, np.int64), np.ones(1, np.float32), np.ones(1, np.int64)
    library.train_bags(
        ctypes.byref(bags), at(start), ctypes.byref(rule), None, 0, None, 0, 0, at(index), at(weight), at(counts), 1,
        at(found), 10, at(losses),
    )  # fmt: skip
    return bool(np.allclose(found, [-0.5, 0.5, 0, 0, -0.5, 0.5, -1, 1, 0, 0], atol=1e-6))
