"""Local training of a round's clients, and testing of models, on one data set held in memory."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from horae.training.dense import Dense, affine_stack
from horae.training.flops import forward_flops
from horae.training.layout import Layout
from horae.training.lean import Lean
from horae.training.plan import Training, batches
from horae.training.pool import Pool
from horae.training.work import Trained, Work
from horae.types import Doubles, Floats, Ints

TEST_BLOCK = 8192  # samples tested at once
LOCKSTEP_FLOATS = 2**25  # a chunk's weights beyond this (128 MiB) train one client at a time


class Trainer:
    """Trains and tests models of one architecture on one data set; the same work gives the same bits.

    path_name: "dense" (clients in lock-step) or "lean" (one after the other), chosen from module and chunk size alone.
    workers: processes that share a round's clients; they change no bit, and `close` ends them.
    n_params, initial_params `(P,)`, initial_buffers `(B,)`: of the module as given. flops_per_sample: forward.
    """

    def __init__(self, module: nn.Module, training: Training, x: Floats, y: Ints, seed: int, workers: int = 1) -> None:
        """x `(images, *shape)`, y `(images,)`: the population's samples. Copies the module; sets torch's threads."""
        torch.set_num_threads(training.threads)
        self.training, self.seed = training, seed
        self.module = copy.deepcopy(module)
        self._x, self._y = _tensor(x, np.float32), _tensor(y, np.int64)
        self._params, self._buffers = Layout.of_params(self.module), Layout.of_buffers(self.module)
        path = self._choose_path(x.shape[1:])
        self._path = path if workers == 1 else Pool(path, workers, training.threads)
        self.path_name, self.n_params = self._path.name, self._params.size
        self.initial_params, self.initial_buffers = self._params.flatten(module), self._buffers.flatten(module)
        self.flops_per_sample = forward_flops(self.module, x.shape[1:])

    def train(self, work: Work) -> Trained:
        """Every client's local training, from the same start."""
        sizes = np.array([len(rows) for rows in work.rows], np.int64)
        plan = batches(self.training, sizes, work.clients, self.seed, work.round)
        return self._path.train(work, plan.of_dataset(work.rows))

    def close(self) -> None:
        """End the workers, if there are any; another round would start them again."""
        if isinstance(self._path, Pool):
            self._path.close()

    @torch.inference_mode()
    def evaluate(self, params: Floats, buffers: Floats, rows: Sequence[Ints]) -> tuple[Ints, Ints, Doubles]:
        """Test one model on several clients' rows of the data set.

        Returns correct, tested `(q,)`, which count samples, and mean losses `(q,)`, 0 for a client without samples.
        """
        q = len(rows)
        tested = np.array([len(own) for own in rows], np.int64)
        owner, right, loss = np.repeat(np.arange(q), tested), *self._test(params, buffers, rows)
        correct = np.bincount(owner[right], minlength=q)
        losses = np.bincount(owner, weights=loss, minlength=q) / np.maximum(tested, 1)
        return correct, tested, losses

    def _test(self, params: Floats, buffers: Floats, rows: Sequence[Ints]) -> tuple[np.ndarray, np.ndarray]:
        """Whether each sample is classified right, and its loss, in the order of the concatenated rows."""
        module = self.module.eval()
        tensors = {**self._params.views(torch.tensor(params)), **self._buffers.views(torch.tensor(buffers))}
        every = torch.from_numpy(np.concatenate([np.zeros(0, np.int64), *rows]))
        right, loss = torch.empty(len(every), dtype=torch.bool), torch.empty(len(every), dtype=torch.float64)
        for first in range(0, len(every), TEST_BLOCK):
            block = slice(first, first + TEST_BLOCK)
            logits, labels = functional_call(module, tensors, (self._x[every[block]],)), self._y[every[block]]
            right[block] = logits.argmax(1) == labels
            loss[block] = cross_entropy(logits, labels, reduction="none")
        return right.numpy(), loss.numpy()

    def _choose_path(self, shape: tuple[int, ...]) -> Dense | Lean:
        stack = affine_stack(self.module, shape)
        if stack and self.training.chunk * self._params.size <= LOCKSTEP_FLOATS:
            return Dense(stack, self._params, self.training, self._x.flatten(1), self._y)
        return Lean(self.module, self._params, self._buffers, self.training, self._x, self._y, self.seed)


def _tensor(array: np.ndarray, dtype: type) -> Tensor:
    """The array's own memory where that is possible; torch will not share memory that is read-only."""
    return torch.from_numpy(np.require(array, dtype, ["C", "W"]))
