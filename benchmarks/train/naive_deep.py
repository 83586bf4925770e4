"""naive.py's frozen round with another network: horae's deep ones with GroupNorm, for the rows of their names."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from benchmarks.train import naive
from benchmarks.train.naive import State
from horae.training.models import Model
from horae.training.models.mobilenet import MobileNetV2
from horae.training.models.resnet import Resnet18
from horae.training.models.shufflenet import ShuffleNetV2

DEEP: dict[str, Model] = {
    "resnet": Resnet18("imagenet"),
    "resnet-cifar": Resnet18("cifar"),
    "mobilenet": MobileNetV2(),
    "shufflenet": ShuffleNetV2(),
}


def network(spec: dict[str, Any]) -> nn.Module:
    """A fresh copy: drawing eleven million weights for every client would flatter us. spec: shape, classes, deep."""
    return copy.deepcopy(_built(spec["deep"], tuple(spec["shape"]), spec["classes"]))


@cache
def _built(name: str, shape: tuple[int, ...], classes: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return DEEP[name].build(shape, classes)


def one_round(*task: Any) -> State:
    """The frozen loop's, whose models are made by `network`."""
    with patch.object(naive, "network", network):
        return naive.one_round(*task)
