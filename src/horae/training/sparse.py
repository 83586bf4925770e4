"""The path for logistic regression on bags of words: a client touches the words that it has, and nothing else.

Of a table of 10^4 to 10^6 rows a client's samples name a few thousand. Rows without a gradient rest under every rule
but weight decay and drift (momentum, Adam and prox leave them where they are), so that what a client changes is its
bias and the rows that it met: `kernel.c` numbers these anew, trains them side by side, and hands over their names and
changes. Where weight decay or drift move every row, every row is trained, and updates are as long as the model.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.training.native import at, rule_of
from horae.training.plan import Batches, Training
from horae.training.sparse_kernel import Compiled, bags_of, kernel
from horae.training.sparse_texts import LANES, Texts, every, most_packed
from horae.training.work import Work
from horae.types import Bools, Doubles, Floats, Ints, Updates


@dataclass(frozen=True)
class Sparse:
    """Clients one after the other in C. Honours momentum, weight decay, Adam, corrections and submodels.

    threads: that add updates up.
    """

    texts: Texts
    training: Training
    threads: int = 1

    name = "sparse"

    def grain(self, clients: int) -> int:
        """Every client is trained by itself."""
        return 1

    def columns(self, work: Work, plan: Batches) -> int:
        """The width of the array that `train` fills: see `Texts.told`."""
        return self.texts.n_params if every(work, self.training) else self.texts.columns(plan)

    def train(self, work: Work, plan: Batches, updates: Floats) -> tuple[Floats, Doubles]:
        """Fill updates `(q, columns)`; plan: with rows of the dataset. Returns buffers and summed losses by step."""
        library, texts, columns = kernel(), self.texts, updates.shape[1]
        clients, steps, batch = plan.index.shape
        packed, spread = columns != texts.n_params, every(work, self.training)
        most = most_packed(columns, texts.classes) if packed else texts.most_rows(plan)
        own = int(texts.lengths(plan).sum(axis=2).max(initial=0))
        bags, _held = bags_of(texts, steps, batch, texts.features if spread else most, own)
        start, drift, losses = _with_room(work.start().numpy()), work.correction.drift, np.zeros((clients, steps))
        bent = None if drift is None else _with_room(drift)
        keep = None if work.keep is None else _with_room(work.keep)
        rule = rule_of(work, self.training)
        index, weight, counts = (np.ascontiguousarray(c) for c in (plan.index, plan.weight, plan.counts))
        library.train_bags(
            ctypes.byref(bags), at(start), ctypes.byref(rule), at(bent),
            0 if bent is None or bent.ndim == 1 else bent.shape[1], at(keep), int(spread), int(packed),
            at(index), at(weight), at(counts), clients, at(updates), columns, at(losses),
        )  # fmt: skip
        return np.repeat(work.buffers[None], clients, 0), losses

    def told(self, updates: Floats, work: Work, plan: Batches) -> Updates:
        """What `train` has filled in."""
        return self.texts.told(updates, Compiled(self.threads))

    def test(self, params: Floats, index: Ints) -> tuple[Bools, Floats]:
        """Whether each of the samples `index (n,)` is classified right, and its loss."""
        index, params = np.ascontiguousarray(index), np.ascontiguousarray(params)
        right, losses = np.empty(len(index), np.bool_), np.empty(len(index), np.float32)
        bags, _held = bags_of(self.texts, 1, 1, 0, 0)
        kernel().test_bags(ctypes.byref(bags), at(params), at(index), len(index), at(right), at(losses))
        return right, losses


def _with_room(vectors: np.ndarray[Any, Any]) -> Floats:
    """Float32 vectors `(..., n)` as `(..., n + LANES)`."""
    wide = np.zeros((*vectors.shape[:-1], vectors.shape[-1] + LANES), np.float32)
    wide[..., : vectors.shape[-1]] = vectors
    return wide
