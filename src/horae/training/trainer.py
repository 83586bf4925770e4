"""Local training of a round's clients, and testing of models, on one data set held in memory."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from horae.errors import require
from horae.pure.anatomy import Anatomy
from horae.training import flow
from horae.training.arena import Arena
from horae.training.conv import Conv
from horae.training.dense import Dense
from horae.training.executors import LOCAL, starter
from horae.training.far import Far
from horae.training.flops import forward_flops
from horae.training.images import prefer_channels_last
from horae.training.layout import Layout
from horae.training.lean import Lean
from horae.training.models.sparse import Bag
from horae.training.native import MOST_LAYERS, Native, compiled
from horae.training.plan import Training, batches
from horae.training.pool import Hands, Near, Path, Pool
from horae.training.samples import Samples
from horae.training.shaped import Shaped
from horae.training.span import Span
from horae.training.sparse import Sparse
from horae.training.sparse_torch import Gathered, bag_path
from horae.training.stack import Affine, affine_stack
from horae.training.streamed import Streamed, large
from horae.training.tasks import TASKS
from horae.training.vmapped import Vmapped
from horae.training.vmapped_device import CPU, gpu_for
from horae.training.vmapped_step import refused
from horae.training.work import Trained, Work
from horae.types import Bools, Doubles, Floats, Ints, TaskName, Updates

TEST_BLOCK = 8192  # samples tested at once
DEEP_BLOCK = 256  # by modules that are no stack of linear layers, whose activations would leave the cache
SPAN_FLOATS = 2**13  # a linear model of fewer weights is trained as quickly weight by weight
LOCKSTEP_FLOATS = 2**25  # a chunk's weights beyond this (128 MiB) train one client at a time


class Trainer:
    """Trains and tests models of one architecture on one data set; the same work gives the same bits.

    path_name: "native" (compiled), "span" or "dense" (clients in lock-step), "sparse" (compiled) or "gathered" (bags of
    words), "conv" (sequential convolutional networks), "vmap" or "vmap-cuda" (side by side, for a GPU), or "lean" (any
    module): see docs/decisions 0010.
    workers: processes that share a round's clients; they change no bit, and `close` ends them. pool: whose processes:
    "local", "ray", "parsl", or "package.module:function" for a function of the number of workers that returns a
    concurrent.futures.Executor.
    n_params, initial_params `(P,)`, initial_buffers `(B,)`: of the module as given. flops_per_sample: forward.
    """

    def __init__(
        self,
        module: nn.Module,
        training: Training,
        x: Any,
        y: Any,
        seed: int,
        workers: int = 1,
        pool: str = LOCAL,
        task: TaskName = "classification",
        scale: float | None = None,
    ) -> None:
        """x `(images, *shape)`, y `(images, ...)`, scale: the population's samples (see `Population`). Copies the
        module; sets torch's threads.
        """
        torch.set_num_threads(training.threads)
        self.training, self.seed = training, seed
        self.module = copy.deepcopy(module)
        self._samples, self.task = Samples.of(x, y, scale), TASKS[task]
        self._params, self._buffers = Layout.of_params(self.module), Layout.of_buffers(self.module)
        near = pool == LOCAL
        self._path, self._arena = self._choose_path(workers, near=near), Arena(shared=near and workers > 1)
        self._shaped = Shaped(self._path, self.module, self._samples.example)
        hands: Hands = (
            Near(self._shaped, workers, training.threads)
            if near
            else Far(self._shaped, training.threads, starter(pool, workers))
        )
        alone = near and (workers == 1 or self._path.name == "vmap-cuda")  # one process drives a GPU
        self._pool = None if alone else Pool(self._shaped, workers, self._arena, hands)
        self.path_name, self.n_params = self._path.name, self._params.size
        self.initial_params, self.initial_buffers = self._params.flatten(module), self._buffers.flatten(module)
        self.flops_per_sample = forward_flops(self.module, self._samples.example)

    def train(self, work: Work) -> Trained:
        """Every client's local training, from the same start."""
        sizes = np.array([len(rows) for rows in work.rows], np.int64)
        table = work.table or self.training
        table = replace(table, steps=work.steps, epochs=0) if work.steps else table
        plan = batches(table, sizes, work.clients, self.seed, work.round, work.efforts)
        plan = plan if work.weights is None else plan.weighted(work.weights)
        work = replace(work, together=self._shaped.grain(len(sizes)))  # parts of it are trained as the whole would be
        processed, index = plan.counts.sum(axis=1), plan.of_dataset(work.rows)
        kinds = Sparse | Gathered | Conv if self._pool is not None else Sparse | Gathered | Conv | Vmapped
        packs = self._path if isinstance(self._path, kinds) else None
        columns = packs.columns(work, index) if packs else self.n_params
        whole = columns == self.n_params and not isinstance(self._path, Vmapped)
        if work.wanted is not None and whole and large(len(sizes), columns):
            answers, buffers, sums = flow.asked(self._shaped, self._pool, self._arena, work, index, work.wanted)
            bare = replace(work, wanted=None)  # what is wanted may be as long as models
            told: Updates = Streamed(answers, lambda other: self.train(replace(bare, wanted=other)).told)
        else:
            updates, name = self._arena.take(len(sizes), columns)
            if self._pool is None:
                buffers, sums = self._shaped.train(work, index, updates)
            else:
                buffers, sums = self._pool.train(work, index, updates, name)
            told = packs.told(updates, work, index) if packs else Updates(updates)
        steps = (plan.counts > 0).sum(axis=1)
        losses = sums.sum(axis=1) / np.maximum(processed, 1)
        return Trained(told, buffers, losses, processed, steps, sums, plan.counts)

    @cached_property
    def anatomy(self) -> Anatomy:
        """What the model's tensors are for, and which of its units can be taken out; found when it is first asked."""
        return self._shaped.anatomy

    def flops_of(self, units: Bools) -> int:
        """FLOPs of a sample's forward pass through the model that these living units leave, counted."""
        return self._shaped.flops_of(units)

    def close(self) -> None:
        """End the workers, if there are any; another round would start them again."""
        if self._pool is not None:
            self._pool.close()
        self._arena.close()

    @torch.inference_mode()
    def evaluate(self, params: Floats, buffers: Floats, rows: Sequence[Ints]) -> tuple[Ints, Ints, Doubles]:
        """Test one model on several clients' rows of the data set.

        Returns correct, tested `(q,)`, which count predictions (one a sample, but for tokens), and mean losses `(q,)`,
        0 for a client without samples.
        """
        q, every = len(rows), np.concatenate([np.zeros(0, np.int64), *rows])
        owner = np.repeat(np.arange(q), [len(own) for own in rows])
        right, asked, loss = self._test(params, buffers, every)
        correct, tested = (np.bincount(owner, weights=n, minlength=q).astype(np.int64) for n in (right, asked))
        losses = np.bincount(owner, weights=loss * asked, minlength=q) / np.maximum(tested, 1)
        return correct, tested, losses

    @torch.inference_mode()
    def answers(self, params: Floats, buffers: Floats, rows: Ints) -> Iterator[tuple[Tensor, Tensor]]:
        """The model's outputs and the truth for some rows of the data set, a block after the other."""
        if isinstance(self._path, Vmapped):
            yield from self._path.answers(params, buffers, rows, self._block)
            return
        module = self.module.eval()
        tensors = {**self._params.views(torch.tensor(params)), **self._buffers.views(torch.tensor(buffers))}
        every = torch.from_numpy(rows)
        for first in range(0, len(every), self._block):
            x, y = self._samples.some(every[first : first + self._block])
            yield functional_call(module, tensors, (x,)), y

    def _test(self, params: Floats, buffers: Floats, rows: Ints) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Right and asked-for predictions and mean loss of each sample, `(rows,)` each."""
        if isinstance(self._path, Native | Sparse):
            right, loss = self._path.test(params, rows)
            return right, np.ones(len(rows)), loss
        columns: list[tuple[Tensor, Tensor, Tensor]] = [
            (self.task.right(out, y), self.task.asked(y), self.task.each(out, y).double())
            for out, y in self.answers(params, buffers, rows)
        ]
        if not columns:
            return np.zeros(0), np.zeros(0), np.zeros(0)
        right, asked, each = (torch.cat(column).numpy() for column in zip(*columns, strict=True))
        return right, asked, each

    def _choose_path(self, workers: int, *, near: bool = True) -> Path:
        """The quickest path that can train this module, or the one that [training] names."""
        samples, wanted = self._samples, self.training.path
        plain = self.task is TASKS["classification"] and not samples.tokens
        stack = affine_stack(self.module, tuple(samples.x.shape[1:])) if plain else None
        self._block = DEEP_BLOCK if stack is None else TEST_BLOCK
        prefer_channels_last(self.module)
        side = self._side_by_side(near=near)
        if side is not None:
            return side
        labelled = self.task is TASKS["classification"]
        if labelled and (bag := bag_path(self.module, samples, self.training, workers)) is not None:
            return bag
        self._insist(wanted not in ("sparse", "gathered"), "the model is no sparse-logistic on bags of words; use auto")
        conv = Conv.of(self.module, self.training, samples, workers) if plain and wanted in ("auto", "conv") else None
        if conv is not None:
            return conv
        self._insist(wanted != "conv", "the model is no sequence of convolutions, norms and pools; use lean or auto")
        if wanted == "lean" or stack is None:
            self._insist(wanted in ("auto", "lean"), "the model is no stack of linear layers; use lean or auto")
            return self._lean(samples)
        fits = len(stack) <= MOST_LAYERS and not stack[-1].relu
        if wanted in ("auto", "native") and fits and compiled() is not None:
            return Native.of(stack, self._params, self.training, samples.flat, samples.y)
        self._insist(wanted != "native", "there is no C compiler, or the stack is too deep or ends in a ReLU; use auto")
        linear, small = len(stack) == 1 and not stack[0].relu, self.training.chunk * self._params.size
        if linear and (wanted == "span" or (wanted == "auto" and self._params.size >= SPAN_FLOATS)):
            return Span(self._dense(stack))
        self._insist(wanted != "span", "the model is more than one linear layer; use auto")
        return self._dense(stack) if small <= LOCKSTEP_FLOATS or wanted == "dense" else self._lean(samples)

    def _side_by_side(self, *, near: bool) -> Path | None:
        """The path for a GPU where it is wanted, or `lean` in its place; None where another one is to be found."""
        training, task = self.training, self.task
        there, wanted = gpu_for(training, near=near), training.path
        exact = training.precision == "float32"
        open_to = wanted in ("auto", "vmap") or training.device != "cuda"
        require(
            open_to, "training.path", 'be auto or vmap with device = "cuda"', wanted, "the processor does the others"
        )
        words_only = isinstance(self.module, Bag) and training.device == "auto"  # these are quick on the processor
        if wanted == "vmap" or (wanted == "auto" and there is not None and not words_only):
            lean = self._lean(self._samples)
            why = refused(self.module, self._samples, task)
            if not why:
                return Vmapped(lean, there or CPU)
            remedy = f"these clients cannot train side by side: {why}"
            require(exact, "training.precision", "be float32", training.precision, remedy)
            words = "clients of this model cannot train side by side (%s): the processor trains them"
            logging.getLogger(__name__).warning(words, why)
            return lean if wanted == "vmap" else None
        require(exact, "training.precision", 'be "float32" where training.path is not "vmap"', training.precision)
        return None

    def _lean(self, samples: Samples) -> Lean:
        return Lean(self.module, self._params, self._buffers, self.training, samples, self.seed, self.task)

    def _dense(self, stack: tuple[Affine, ...]) -> Dense:
        return Dense(stack, self._params, self.training, self._samples.flat, self._samples.y)

    def _insist(self, ok: bool, remedy: str) -> None:
        require(ok, "training.path", "suit model and machine", self.training.path, remedy)
