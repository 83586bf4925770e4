"""The path for bags of words without a compiler: each client's words as a small model of their own, in torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from horae.errors import require
from horae.training.descent import Descent
from horae.training.models.sparse import Bag
from horae.training.plan import Batches, Training
from horae.training.samples import Samples
from horae.training.sparse import Sparse
from horae.training.sparse_kernel import compiled_sparse
from horae.training.sparse_texts import Texts, every, most_packed
from horae.training.work import Work
from horae.types import Doubles, Floats, Ints, Updates


@dataclass(frozen=True)
class Own:
    """A client's words: `known (n,)` are its rows of the table; its bias and these rows are its small model.

    rows: for each step which rows of the small model stand in its samples, 0 (the bias) first in each; ends: where each
    sample's end.
    """

    known: Ints
    rows: list[Ints]
    ends: list[Ints]


@dataclass(frozen=True)
class Gathered:
    """Chunks of clients, whose small models lie one after the other; honours what `sparse` does."""

    texts: Texts
    training: Training

    name = "gathered"

    def grain(self, clients: int) -> int:
        """Clients trained together: a chunk."""
        return self.training.chunk

    def columns(self, work: Work, plan: Batches) -> int:
        """The width of the array that `train` fills: see `Texts.told`."""
        return self.texts.n_params if every(work, self.training) else self.texts.columns(plan)

    @torch.inference_mode()
    def train(self, work: Work, plan: Batches, updates: Floats) -> tuple[Floats, Doubles]:
        """Fill updates `(q, columns)`; plan: with rows of the dataset. Returns buffers and summed losses by step."""
        sums, place = np.zeros(plan.counts.shape), np.zeros(self.texts.features, np.int64)
        for first in range(0, len(updates), self.training.chunk):
            part = slice(first, min(first + self.training.chunk, len(updates)))
            mine, own = plan.part(part), []
            for row in range(part.stop - part.start):
                own.append(self._own(mine, row, place, spread=every(work, self.training)))
            changes = self._train_chunk(_small(work.part(part), own, self.texts.classes), mine, own, sums[part])
            for out, each, change in zip(updates[part], own, changes, strict=True):
                self._put(out, each.known, change.numpy())
        return np.repeat(work.buffers[None], len(updates), 0), sums

    def told(self, updates: Floats, work: Work, plan: Batches) -> Updates:
        """What `train` has filled in."""
        return self.texts.told(updates, None)

    def _own(self, plan: Batches, row: int, place: Ints, *, spread: bool) -> Own:
        """place `(features,)`: zeros, before and after."""
        offsets, there = self.texts.offsets.numpy(), np.arange(plan.index.shape[2]) < plan.counts[row][:, None]
        picked = plan.index[row][there]
        lengths = offsets[picked + 1] - offsets[picked]
        ends = np.cumsum(lengths)
        places = np.arange(lengths.sum()) + np.repeat(offsets[picked] - ends + lengths, lengths)
        words = self.texts.words.numpy()[places]
        place[words] = 1
        known = np.arange(len(place)) if spread else np.flatnonzero(place)
        place[known] = 1 + np.arange(len(known))
        rows = np.zeros(len(words) + len(picked), np.int64)
        rows[np.arange(len(words)) + np.repeat(np.arange(1, len(picked) + 1), lengths)] = place[words]
        place[known] = 0
        cuts, ends = np.cumsum(plan.counts[row]), np.append(0, ends + np.arange(1, len(picked) + 1))
        steps = [ends[cut - n : cut + 1] for cut, n in zip(cuts.tolist(), plan.counts[row].tolist(), strict=True)]
        return Own(known, [rows[step[0] : step[-1]] for step in steps], [step[1:] - step[0] for step in steps])

    def _train_chunk(self, work: Work, plan: Batches, own: list[Own], losses: Doubles) -> list[Tensor]:
        """Each client's update of its small model `(n + 1, classes)`; losses `(clients, steps)` are filled in place."""
        descent, classes = Descent(self.training, work, np.array([0])), self.texts.classes
        weights = descent.weights[0].view(-1, classes)
        sizes, last = [len(each.known) + 1 for each in own], (plan.counts > 0).sum(axis=1) - 1
        first = np.cumsum(sizes) - sizes
        done = [weights.new_zeros(size, classes) for size in sizes]
        for step in range(plan.counts.shape[1]):
            at_work = np.flatnonzero(last >= step)
            if not at_work.size:
                break
            rows = [own[i].rows[step] + first[i] for i in at_work]
            named = _matrix(rows, [own[i].ends[step] for i in at_work], sum(sizes))
            there = np.arange(plan.index.shape[2]) < plan.counts[:, step, None]
            y = self.texts.y[torch.from_numpy(plan.index[:, step][there])][:, None]
            share = torch.from_numpy(plan.weight[:, step][there])[:, None]
            back = log_softmax(torch.from_numpy(named @ weights.numpy()), 1)
            lost = -(back.gather(1, y) * (share > 0))[:, 0].double().numpy()
            losses[:, step] = np.bincount(np.nonzero(there)[0], lost, len(own))
            back.exp_().mul_(share).scatter_add_(1, y, -share)
            descent.step(torch.from_numpy(named.T @ back.numpy()).view(1, -1))
            for i in np.flatnonzero(last == step):  # what it does from now on is nobody's
                mine = slice(first[i], first[i] + sizes[i])
                done[i] = weights[mine] - descent.start.view(-1, classes)[mine]
        return done

    def _put(self, out: Floats, known: Ints, change: Floats) -> None:
        """A client's update, as `Texts.told` reads it."""
        classes, n = self.texts.classes, len(known)
        if len(out) == self.texts.n_params:
            table = out.reshape(-1, classes)
            table[:] = 0.0
            table[0], table[1 + known] = change[0], change[1:]
            return
        whole, most = out.view(np.int32), most_packed(len(out), classes)
        whole[0], whole[1 + classes : 1 + classes + n] = n, known
        out[1 : 1 + classes] = change[0]
        out[1 + classes + most : 1 + classes + most + n * classes] = change[1:].reshape(-1)


def _matrix(rows: list[Ints], ends: list[Ints], width: int) -> csr_array:
    """A row for each sample of several clients: which rows of their models it names."""
    firsts = np.cumsum([0, *(len(part) for part in rows[:-1])])
    edges = np.concatenate([[0], *(first + part for first, part in zip(firsts, ends, strict=True))])
    names = np.concatenate(rows)
    return csr_array((np.ones(len(names), np.float32), names, edges), (len(edges) - 1, width))


def _small(work: Work, own: list[Own], classes: int) -> Work:
    """Some clients' work as one on their small models, one after the other."""

    def taken(vectors: Sequence[NDArray[Any]]) -> NDArray[Any]:
        tables = [vector.reshape(-1, classes) for vector in vectors]
        parts = [part for table, each in zip(tables, own, strict=True) for part in (table[:1], table[1 + each.known])]
        return np.concatenate(parts).reshape(-1)

    drift, keep, q = work.correction.drift, work.keep, len(own)
    bent = None if drift is None else taken([drift] * q if drift.ndim == 1 else list(drift))
    correction = replace(work.correction, drift=bent)
    return replace(
        work, params=taken([work.params] * q), keep=None if keep is None else taken([keep] * q), correction=correction
    )


def bag_path(module: nn.Module, samples: Samples, training: Training, threads: int = 1) -> Sparse | Gathered | None:
    """The path of `sparse-logistic` on labelled bags of words, or None for other models and wishes. threads: that add
    updates up.

    Errors: ConfigError where the compiled one is wanted and there is none.
    """
    if type(module) is not Bag or not samples.tokens or samples.x.ndim != 2 or samples.y.ndim != 1:
        return None
    if not all(p.requires_grad for p in module.parameters()) or training.path not in ("auto", "sparse", "gathered"):
        return None
    there, wanted = compiled_sparse() is not None, training.path
    remedy = "there is no C compiler; use gathered or auto"
    require(there or wanted != "sparse", "training.path", "suit model and machine", wanted, remedy)
    texts = Texts.of(samples, module)
    return Sparse(texts, training, threads) if there and wanted != "gathered" else Gathered(texts, training)
