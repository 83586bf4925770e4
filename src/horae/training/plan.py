"""How clients train: the [training] table, its learning rate, and which samples go into which step."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from horae.errors import did_you_mean, require
from horae.pure.streams import uniforms
from horae.types import Doubles, Floats, Ints

Optimizer = Literal["sgd", "adam"]
Schedule = Literal["constant", "step", "exponential", "cosine"]
Scaling = Literal["none", "linear"]
PathName = Literal["auto", "native", "span", "dense", "sparse", "gathered", "conv", "vmap", "lean"]
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["float32", "bf16"]

# A sample's draw is numbered by round, epoch and position: 24, 16 and 24 bits.
_ROUND, _EPOCH = np.uint64(40), np.uint64(24)
_DRAW_BITS = 40
_EPOCHS, _SAMPLES, _THREADS = 2**16 - 1, 2**24 - 1, 256  # in a round; beyond these draws would be used twice
_STEEPEST = 1000  # times a gradient of float32, this is still a float32


@dataclass(frozen=True)
class Training:
    """The [training] table: what every client does in a round.

    optimizer: with fresh state each round. schedule, decay, decay_every (rounds), total_rounds, min_lr: see `lr_at`.
    steps: of at most `batch` samples; epochs > 0 replaces them. lr_scaling: "linear" lets the loop scale lr with a
    cohort's share of the participants. chunk: clients that train in lock-step; it shapes the sums, and so belongs to
    the experiment and not to the machine. threads: torch's. path: how the same arithmetic is done; auto is the quickest
    that the model and the machine allow. device: auto is a GPU if torch sees one, and then auto's path is "vmap" for
    models that it can train. precision: "bf16" lets "vmap" multiply in bfloat16, to about two digits. compile: "vmap"
    goes through torch.compile and CUDA graphs on a GPU; not yet measured.
    """

    optimizer: Optimizer = "sgd"
    lr: float = 0.1
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    decay: float = 0.98
    decay_every: int = 10
    total_rounds: int = 0
    min_lr: float = 0.0
    steps: int = 5
    epochs: int = 0
    batch: int = 10
    lr_scaling: Scaling = "none"
    chunk: int = 16
    threads: int = 1
    path: PathName = "auto"
    device: Device = "auto"
    precision: Precision = "float32"
    compile: bool = False

    def __post_init__(self) -> None:
        self._check_words()
        self._check_rates()
        for field in ("decay_every", "steps", "batch", "chunk", "threads"):
            self._whole(field, 1)
        for field in ("total_rounds", "epochs"):
            self._whole(field, 0)
        for field, most in (("steps", _EPOCHS), ("epochs", _EPOCHS), ("batch", _SAMPLES), ("threads", _THREADS)):
            value = getattr(self, field)
            require(value <= most, f"training.{field}", f"be <= {most:,}", value, "lower it")
        cosine_ends = self.schedule != "cosine" or self.total_rounds > 0
        remedy = "say after how many rounds the cosine ends"
        require(cosine_ends, "training.total_rounds", 'be >= 1 with schedule = "cosine"', self.total_rounds, remedy)

    def lr_at(self, number: int) -> float:
        """The learning rate of a cohort's round `number`, counted from 0; never below min_lr.

            constant      lr
            step          lr · decay^⌊t / decay_every⌋
            exponential   lr · decay^(t / decay_every)
            cosine        min_lr + (lr - min_lr) (1 + cos(π t / total_rounds)) / 2,   t ≤ total_rounds

        >>> Training(schedule="step", lr=1.0, decay=0.5, decay_every=10).lr_at(25)
        0.25
        """
        if self.schedule == "cosine":
            done = min(number / self.total_rounds, 1.0)
            return self.min_lr + (self.lr - self.min_lr) * (1 + math.cos(math.pi * done)) / 2
        periods = {"constant": 0.0, "step": number // self.decay_every, "exponential": number / self.decay_every}
        return max(self.min_lr, self.lr * math.pow(self.decay, periods[self.schedule]))

    @property
    def n_planned(self) -> int:
        """Samples of a round by the table alone, batch · steps, whatever the client holds; epochs do not enter."""
        return self.batch * self.steps

    def n_processed(self, sizes: Ints) -> Ints:
        """Samples that clients with `sizes (q,)` really process in a round, repeats counted, `(q,)`."""
        return self.epochs * sizes if self.epochs else self.steps * np.minimum(self.batch, sizes)

    def _check_words(self) -> None:
        for field, kind in (
            ("optimizer", Optimizer),
            ("schedule", Schedule),
            ("lr_scaling", Scaling),
            ("path", PathName),
            ("device", Device),
            ("precision", Precision),
        ):
            word, known = getattr(self, field), get_args(kind)
            require(
                word in known,
                f"training.{field}",
                f"be one of {', '.join(known)}",
                word,
                did_you_mean(str(word), known),
            )

    def _check_rates(self) -> None:
        remedy = "0.1 is a common start for sgd, 0.001 for adam"
        require(0 < self.lr < math.inf, "training.lr", "be > 0", self.lr, remedy)
        require(self.lr <= _STEEPEST, "training.lr", f"be <= {_STEEPEST}", self.lr, remedy)
        require(0 <= self.momentum < 1, "training.momentum", "be in [0, 1)", self.momentum)
        alone = self.optimizer == "sgd" or self.momentum == 0
        require(alone, "training.momentum", 'be 0 with optimizer = "adam"', self.momentum, "adam has its own moments")
        require(0 <= self.weight_decay < math.inf, "training.weight_decay", "be >= 0", self.weight_decay)
        require(self.weight_decay <= _STEEPEST, "training.weight_decay", f"be <= {_STEEPEST}", self.weight_decay)
        require(0 < self.decay <= 1, "training.decay", "be in (0, 1]", self.decay)
        require(0 <= self.min_lr <= self.lr, "training.min_lr", f"be in [0, lr = {self.lr}]", self.min_lr)

    def _whole(self, field: str, least: int) -> None:
        value = getattr(self, field)
        require(isinstance(value, int) and value >= least, f"training.{field}", f"be a whole number >= {least}", value)


@dataclass(frozen=True)
class Batches:
    """Which samples go into which step, by column.

    index `(clients, steps, batch)`: positions into the client's own samples, 0 for padding. weight, of the same shape:
    1 / (samples in that step), 0 for padding, so that a row sums to 1 and a weighted sum is a mean. counts
    `(clients, steps)`: samples in that step; they come first in `batch`, and steps without any come last.
    """

    index: Ints
    weight: Floats
    counts: Ints

    def of_dataset(self, rows: list[Ints]) -> Batches:
        """The same plan with each position replaced by the dataset's row it stands for; rows: each client's own."""
        sizes = np.array([len(own) for own in rows], np.int64)
        offsets = np.cumsum(sizes) - sizes
        padded = np.concatenate([*rows, np.zeros(1, np.int64)]).astype(np.int64)  # a last client may own nothing
        return replace(self, index=padded[offsets[:, None, None] + self.index])

    def weighted(self, weights: list[Doubles]) -> Batches:
        """The same with each sample's weight times what it counts; weights: of each client's own samples."""
        sizes = np.array([len(own) for own in weights], np.int64)
        offsets = np.cumsum(sizes) - sizes
        padded = np.concatenate([*weights, np.zeros(1)]).astype(np.float32)
        return replace(self, weight=self.weight * padded[offsets[:, None, None] + self.index])

    def part(self, clients: slice) -> Batches:
        """The plan of some clients that stand side by side."""
        return Batches(self.index[clients], self.weight[clients], self.counts[clients])


def batches(
    training: Training, sizes: Ints, clients: Ints, seed: int, number: int, efforts: Doubles | None = None
) -> Batches:
    """The batches of `clients (q,)` holding `sizes (q,)` samples in round `number`: a function of each client alone.

    A client walks along a chain of epochs, each a fresh permutation of its samples. In `steps` mode it takes
    min(batch, n) samples per step, without regard to where an epoch ends: a batch that straddles the border may hold a
    sample twice, no other can. In `epochs` mode every epoch is cut by itself, into ⌈n / batch⌉ steps the last of which
    may be smaller. Who has no samples takes no step. efforts `(q,)`: times the table's steps or epochs, by client, at
    least one.

    Reading: a round's plan depends on seed, client and round number, not on the cohort, so that the arms of a
    comparison see the same samples.
    """
    usual = np.full(len(sizes), training.epochs or training.steps)
    turns = usual if efforts is None else np.maximum(1, np.rint(usual * efforts)).astype(np.int64)
    counts = (_epoch_counts if training.epochs else _step_counts)(training, sizes, turns)
    chain, first = _chains(sizes, counts.sum(axis=1), clients, seed, number)
    slot = np.arange(training.batch)
    valid = slot < counts[:, :, None]
    place = (first[:, None] + counts.cumsum(axis=1) - counts)[:, :, None] + slot
    index = chain[np.where(valid, place, 0)] * valid
    weight = valid / np.maximum(counts, 1).astype(np.float32)[:, :, None]
    return Batches(index, weight.astype(np.float32), counts)


def _step_counts(training: Training, sizes: Ints, steps: Ints) -> Ints:
    taken: Ints = np.minimum(training.batch, sizes)[:, None] * (np.arange(steps.max(initial=0)) < steps[:, None])
    return taken


def _epoch_counts(training: Training, sizes: Ints, epochs: Ints) -> Ints:
    per_epoch = -(-sizes // training.batch)
    step = np.arange((epochs * per_epoch).max(initial=0))
    left = sizes[:, None] - (step % np.maximum(per_epoch, 1)[:, None]) * training.batch
    taken: Ints = np.minimum(training.batch, left) * (step < (epochs * per_epoch)[:, None])
    return taken


def _chains(sizes: Ints, wanted: Ints, clients: Ints, seed: int, number: int) -> tuple[Ints, Ints]:
    """Each client's chain of epochs, at least `wanted (q,)` long, one after the other; and where each begins."""
    epochs = -(-wanted // np.maximum(sizes, 1))
    lengths = epochs * sizes
    first = np.cumsum(lengths) - lengths
    # epoch by epoch, then sample by sample
    begun, long = np.cumsum(epochs) - epochs, np.repeat(sizes, epochs)
    client, epoch = np.repeat(clients, epochs), np.arange(len(long)) - np.repeat(begun, epochs)
    position = np.arange(long.sum()) - np.repeat(np.cumsum(long) - long, long)
    counter = np.repeat(_counter(number, epoch), long) + position.astype(np.uint64)
    draws = uniforms(seed, "batches", np.repeat(client, long), counter)
    # One sort for all: epochs by their place, samples inside an epoch by their draw. Integers, since adding a place to
    # a float would round the draw, and then a client's order would depend on who stands before it.
    place = np.repeat(np.arange(len(long)) << _DRAW_BITS, long)
    order = _order(place + (draws * 2.0**_DRAW_BITS).astype(np.int64))
    return np.append(position[order], 0), first


def _order(keys: Ints) -> Ints:
    """The stable order of keys that hardly ever tie."""
    order = np.argsort(keys)
    if (np.diff(keys[order]) == 0).any():
        return np.argsort(keys, kind="stable")
    return order


def _counter(number: int, epoch: Ints) -> NDArray[np.uint64]:
    return (np.uint64(number) << _ROUND) + (epoch.astype(np.uint64) << _EPOCH)
