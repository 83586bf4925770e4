"""Which weights are trained and sent. A new method is one file here and one line below."""

from horae.pruning.autoflip import AutoFlip
from horae.pruning.dense import Dense
from horae.pruning.feddst import FedDst
from horae.pruning.heterofl import HeteroFL
from horae.pruning.magnitude import Magnitude
from horae.pruning.prunefl import PruneFL
from horae.pruning.random import Random
from horae.pruning.slim import Slim
from horae.pruning.ssfl import Ssfl

PRUNING = {
    "dense": Dense,
    "autoflip": AutoFlip,
    "random": Random,
    "magnitude": Magnitude,
    "ssfl": Ssfl,
    "prunefl": PruneFL,
    "feddst": FedDst,
    "slim": Slim,
    "heterofl": HeteroFL,
}

__all__ = [
    "PRUNING",
    "AutoFlip",
    "Dense",
    "FedDst",
    "HeteroFL",
    "Magnitude",
    "PruneFL",
    "Random",
    "Slim",
    "Ssfl",
]
