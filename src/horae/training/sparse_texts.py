"""Bags of words without their padding, and where the updates of a model of them lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from horae.errors import require
from horae.training.models.sparse import Bag
from horae.training.plan import Batches, Training
from horae.training.samples import Samples
from horae.training.work import Work
from horae.types import Floats, Ints, SparseUpdates, Updates
from horae.types.sparse import Quick

BLOCK = 2**16  # samples that are packed at once
LANES = 16  # floats that may be written behind the last row


@dataclass(frozen=True)
class Texts:
    """Bags of words without their padding: sample i has words[offsets[i]:offsets[i + 1]] and the label y[i].

    features, classes: of the table `(features, classes)`, which lies behind its bias `(classes,)` in a flat model.
    """

    words: Tensor
    offsets: Tensor
    y: Tensor
    features: int
    classes: int

    @classmethod
    def of(cls, samples: Samples, bag: Bag) -> Texts:
        """From rows of numbers, 0 where there is none. Errors: ConfigError for a number that has no row."""
        features, classes = bag.table.weight.shape
        x, y = samples.x.numpy(), samples.y
        if x.size:
            low, high = int(x.min()), int(x.max())
            require(low >= 0, "the samples", "be whole numbers >= 0", low, "0 is nothing at all")
            should = f"be >= {high + 1}, the samples go up to {high}"
            require(high < features, bag.table.field, should, features, "raise it")
        known = not len(y) or (int(y.min()) >= 0 and int(y.max()) < classes)
        require(known, "the labels", f"be in [0, {classes})", "others", "renumber them")
        words, sizes = [np.zeros(0, np.int32)], [np.zeros(1, np.int64)]
        for first in range(0, len(x), BLOCK):
            part = x[first : first + BLOCK]
            there = part != 0
            words.append(part[there].astype(np.int32))
            sizes.append(there.sum(axis=1))
        packed, ends = np.concatenate(words), np.cumsum(np.concatenate(sizes))
        return cls(torch.from_numpy(packed), torch.from_numpy(ends), y, features, classes)

    @property
    def n_params(self) -> int:
        """Floats of a flat model."""
        return (self.features + 1) * self.classes

    def lengths(self, plan: Batches) -> Ints:
        """Words of each sample of a plan, 0 for padding: `(clients, steps, batch)`."""
        there = np.arange(plan.index.shape[2]) < plan.counts[:, :, None]
        found: Ints = np.diff(self.offsets.numpy())[plan.index] * there
        return found

    def most_rows(self, plan: Batches) -> int:
        """At least as many as any client meets rows of the table."""
        lengths = self.lengths(plan)
        most = int(lengths.sum(axis=(1, 2)).max(initial=0))
        if _packed(most, self.classes) >= self.n_params:  # samples that come again bring no new words
            index = np.where(lengths > 0, plan.index, -1).reshape(len(plan.index), -1)
            index = np.sort(index, axis=1)
            new = np.diff(index, axis=1, prepend=-1) > 0
            most = int((np.diff(self.offsets.numpy())[index] * new).sum(axis=1).max(initial=0))
        return min(most, self.features)

    def columns(self, plan: Batches) -> int:
        """Floats that a client's changed rows take at most; all parameters where that is not less."""
        return min(_packed(self.most_rows(plan), self.classes), self.n_params)

    def told(self, updates: Floats, quick: Quick | None) -> Updates:
        """What was filled in, `(q, columns)` or `(q, P)`, as updates. The memory stays the same."""
        q, columns = updates.shape
        if columns == self.n_params:
            return Updates(updates)
        most, head = most_packed(columns, self.classes), 1 + self.classes
        whole = updates.view(np.int32)
        values = updates[:, head + most : columns - LANES].reshape(q, most, self.classes)
        counts = whole[:, 0].astype(np.int64)
        return SparseUpdates(updates[:, 1:head], whole[:, head : head + most], values, counts, self.features, quick)


def every(work: Work, training: Training) -> bool:
    """Whether rows change that no sample names."""
    return (work.table or training).weight_decay != 0 or work.correction.drift is not None


def _packed(rows: int, classes: int) -> int:
    """Floats of a client's update that names rows: their number, the bias, names, the rows, and what may be spilled."""
    return 1 + classes + rows * (1 + classes) + LANES


def most_packed(columns: int, classes: int) -> int:
    """Rows that such an update has room for."""
    return (columns - LANES - 1 - classes) // (1 + classes)
