"""naive.py's frozen round with another network: horae's ResNet-18 with GroupNorm, for the rows of that name."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from benchmarks.train import naive
from benchmarks.train.naive import State
from horae.training.models.resnet import Resnet18, Stem


def network(spec: dict[str, Any]) -> nn.Module:
    """A fresh copy: drawing eleven million weights for every client would flatter us. spec: shape, classes, stem."""
    return copy.deepcopy(_built(spec["stem"], tuple(spec["shape"]), spec["classes"]))


@cache
def _built(stem: Stem, shape: tuple[int, ...], classes: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Resnet18(stem).build(shape, classes)


def one_round(*task: Any) -> State:
    """The frozen loop's, whose models are made by `network`."""
    with patch.object(naive, "network", network):
        return naive.one_round(*task)
