"""What a participation costs: seconds on the virtual clock, bytes on the wire, FLOPs on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.types import Capacity, Doubles, Ints

BACKWARD = 3  # a training pass costs about three forward passes
REFERENCE_FLOPS = 600e6  # the model behind ms_per_sample: a MobileNetV2 forward pass


@dataclass(frozen=True)
class Job:
    """One round's work.

    n_samples `(clients,)`: samples really processed; planned: batch x steps, whatever they hold; the rest are bytes,
    FLOPs per sample, and those of them that are left if zeros cost nothing (None: all). Numbers are of every client, or
    `(clients,)`.
    """

    n_samples: Ints
    planned: int | Ints
    flops_per_sample: int | Ints
    nbytes_down: int | Ints
    nbytes_up: int | Ints
    sparse_flops_per_sample: int | Ints | None = None


@dataclass(frozen=True)
class FedScaleCost:
    """FedScale's cost, whatever the model and the client's data.

        seconds = 3 · batch · steps · ms_per_sample / 1000  +  (bits down + bits up) / bandwidth

    Source: FedScale (ICML 2022), as its simulator computes it.
    """

    def seconds(self, job: Job, capacity: Capacity) -> Doubles:
        """Duration of each client's participation, `(clients,)`."""
        return BACKWARD * job.planned * capacity.ms_per_sample / 1000 + _wire_s(job, capacity)


@dataclass(frozen=True)
class ModelAwareCost:
    """The same with the work that is really done.

        seconds = 3 · samples · (ms_per_sample / 1000) · (FLOPs / reference FLOPs)  +  (bits down + bits up) / bandwidth

    samples: those really processed; FLOPs: counted, of one forward pass of this model. reference_flops: the forward
    pass that ms_per_sample was measured on (a MobileNetV2 of 0.6 GFLOP).
    """

    reference_flops: float = REFERENCE_FLOPS

    def __post_init__(self) -> None:
        possible = 1 <= self.reference_flops <= 1e18
        require(possible, "cost.reference_flops", "be in [1, 1e18]", self.reference_flops, "6e8 is a small phone model")

    def seconds(self, job: Job, capacity: Capacity) -> Doubles:
        """Duration of each client's participation, `(clients,)`."""
        share = job.flops_per_sample / self.reference_flops
        return BACKWARD * job.n_samples * capacity.ms_per_sample / 1000 * share + _wire_s(job, capacity)


COSTS = {"fedscale": FedScaleCost, "model-aware": ModelAwareCost}


def training_flops(job: Job, *, sparse: bool = False) -> Ints:
    """FLOPs of each client's local training, `(clients,)`; sparse: as if zeros cost nothing."""
    each = job.sparse_flops_per_sample if sparse and job.sparse_flops_per_sample is not None else job.flops_per_sample
    total: Ints = BACKWARD * job.n_samples * np.asarray(each, np.int64)
    return total


def _wire_s(job: Job, capacity: Capacity) -> Doubles:
    return (job.nbytes_down + job.nbytes_up) * 8 / 1000 / capacity.kbps
