"""The workloads: which network, how many clients, what a round costs in FLOPs, and the file that engines read."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import torch

from benchmarks.train import naive_deep
from benchmarks.train.naive import network
from benchmarks.train.task import Task
from horae.training import Training, batches
from horae.training.flops import flops_by_tensor

SAMPLES, BATCH, STEPS, LR, SEED = 100, 20, 5, 0.05, 0


@dataclass(frozen=True)
class Workload:
    """A network and its clients; each holds 100 samples and takes 5 steps of `batch`.

    population: clients there are; `clients` of them train in a round. left_out: engines that only run when named, with
    the reason. strange_to: engines that know no such network.
    """

    title: str
    shape: tuple[int, ...]
    classes: int
    clients: int
    hidden: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    kernel: int = 3
    groups: int = 0
    population: int = 0
    left_out: tuple[tuple[str, str], ...] = ()
    strange_to: tuple[str, ...] = ()
    batch: int = BATCH

    @property
    def spec(self) -> dict[str, Any]:
        """The network, as naive.network reads it."""
        names = ("shape", "classes", "hidden", "channels", "kernel", "groups")
        return {name: list(v) if isinstance(v := getattr(self, name), tuple) else v for name in names}

    @property
    def macs(self) -> list[int]:
        """Multiply-adds of one sample's forward pass, layer by layer."""
        found = []
        planes, side = self.shape[0], self.shape[-1]
        for width in self.channels:
            found.append(planes * width * self.kernel**2 * side**2)
            planes, side = width, side // 2
        widths = (planes * side**2 if self.channels else prod(self.shape), *self.hidden, self.classes)
        return found + [a * b for a, b in pairwise(widths)]

    @property
    def flops(self) -> int:
        """Useful FLOPs of a round: forward, and backward to weights and to inputs but the first layer's."""
        macs = self.macs
        return 2 * (3 * sum(macs) - macs[0]) * self.client_steps * self.batch

    @property
    def forward_share(self) -> float:
        """The forward pass' part of them."""
        macs = self.macs
        return sum(macs) / (3 * sum(macs) - macs[0])

    @property
    def client_steps(self) -> int:
        """Local steps of a round, all clients together."""
        return self.clients * STEPS

    @property
    def n_params(self) -> int:
        """Parameters of the network."""
        return sum(p.numel() for p in network(self.spec).parameters())

    def task(self) -> Task:
        """Its synthetic data, first model and batches: a function of the seed alone."""
        rng = np.random.default_rng(SEED)
        n = self.clients * SAMPLES
        y = rng.integers(self.classes, size=n)
        x = self._samples(rng, y)
        clients = np.sort(rng.choice(self.population or self.clients, self.clients, replace=False))
        rows = np.arange(n).reshape(self.clients, SAMPLES)
        sizes = np.full(self.clients, SAMPLES)
        index = batches(Training(lr=LR, steps=STEPS, batch=self.batch), sizes, clients, SEED, 0).index
        params = self._first_params()
        return Task(self.spec, LR, SEED, self.population or self.clients, x, y, rows, index, params, clients)

    def _samples(self, rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
        prototypes = rng.normal(size=(self.classes, *self.shape)).astype(np.float32)
        x: np.ndarray = 0.3 * (prototypes[y] + rng.normal(size=(len(y), *self.shape)).astype(np.float32))
        return x

    def _first_params(self) -> np.ndarray:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            return torch.nn.utils.parameters_to_vector(network(self.spec).parameters()).detach().numpy()


@dataclass(frozen=True)
class Words(Workload):
    """Logistic regression on bags of `shape[0]` words of `features`: naive_words' network. Half of a sample's words are
    its class' own, half are anybody's: all even, so that a client meets as many words as it can.
    """

    features: int = 10_000

    @property
    def spec(self) -> dict[str, Any]:
        """The network, as naive_words.network reads it."""
        return {"features": self.features, "classes": self.classes}

    @property
    def macs(self) -> list[int]:
        """Multiply-adds of one sample's forward pass: a row of the table for each of its words."""
        return [self.shape[0] * self.classes]

    @property
    def n_params(self) -> int:
        """Parameters of the network."""
        return (self.features + 1) * self.classes

    def _samples(self, rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
        own, n = self.features // self.classes, (len(y), self.shape[0] // 2)
        mine = y[:, None] * own + rng.integers(own, size=n)
        x = np.concatenate([mine, rng.integers(self.features, size=(len(y), self.shape[0] - n[1]))], axis=1)
        return np.maximum(x, 1)  # 0 is padding

    def _first_params(self) -> np.ndarray:
        return np.zeros(self.n_params, np.float32)


@dataclass(frozen=True)
class Deep(Workload):
    """A network with GroupNorm, of naive_deep's."""

    deep: str = "resnet"

    @property
    def spec(self) -> dict[str, Any]:
        """The network, as naive_deep.network reads it."""
        return {"shape": list(self.shape), "classes": self.classes, "deep": self.deep}

    @property
    def macs(self) -> list[int]:
        """Multiply-adds of one sample's forward pass, layer by layer, those with padding among them."""
        flops = flops_by_tensor(naive_deep.network(self.spec), torch.zeros(1, *self.shape))
        return [count // 2 for count in flops.values()]

    @property
    def n_params(self) -> int:
        """Parameters of the network."""
        return self._first_params().size

    def _first_params(self) -> np.ndarray:
        return torch.nn.utils.parameters_to_vector(naive_deep.network(self.spec).parameters()).detach().numpy()


_CNN = {"shape": (1, 28, 28), "classes": 62, "clients": 100}
_OTHERS = ("flower", "pfl-1", "pfl-2", "fedjax")
_ONE = (("pfl-1", "for time, two threads are the better on a quiet machine: name it"),)
_LEAF = {**_CNN, "channels": (32, 64), "kernel": 5, "left_out": _ONE}
_DEEP = {**_CNN, "strange_to": _OTHERS}
_SMALL = {**_DEEP, "shape": (3, 32, 32)}
WORKLOADS = {
    "logistic": Workload("784-62, 200 clients", (784,), 62, 200),
    "mlp": Workload("784-100-62, 200 of 3,400 clients", (784,), 62, 200, (100,), population=3400),
    "words": Words("64 of 10,000 words, 5 classes, 200 clients", (64,), 5, 200, strange_to=_OTHERS),
    "digits": Workload("64-64-10, 200 clients", (64,), 10, 200, (64,)),
    "cnn": Workload("two 3x3 convolutions, GroupNorm, 100 clients", **_CNN, channels=(16, 36), groups=4, left_out=_ONE),
    "cnn-plain": Workload("two 5x5 convolutions, 100 clients", **_CNN, channels=(16, 32), kernel=5, left_out=_ONE),
    "cnn-six": Workload(
        "two 5x5 convolutions, batch 6, 100 clients", **_CNN, channels=(16, 32), kernel=5, left_out=_ONE, batch=6
    ),
    "cnn-wide": Workload("two 5x5 convolutions, 368 hidden, 50 clients", **{**_LEAF, "clients": 50}, hidden=(368,)),
    "leaf": Workload("LEAF's FEMNIST network, 20 clients", **{**_LEAF, "clients": 20}, hidden=(2048,)),
    "resnet": Deep("ResNet-18, ImageNet stem, 6 clients", **{**_DEEP, "clients": 6}),
    "resnet-cifar": Deep("ResNet-18, CIFAR stem, 2 clients", **{**_DEEP, "clients": 2}, deep="resnet-cifar"),
    "mobilenet": Deep("MobileNetV2, 32x32, 6 clients", **{**_SMALL, "clients": 6}, deep="mobilenet"),
    "shufflenet": Deep("ShuffleNetV2, 32x32, 6 clients", **{**_SMALL, "clients": 6}, deep="shufflenet"),
}
USUAL = ("logistic", "mlp", "digits", "words", "cnn")
