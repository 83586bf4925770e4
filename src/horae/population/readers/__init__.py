"""Readers of the formats that people's data come in. A new one is one file here and one line below."""

from typing import Any

from horae.population.readers.cifar import Cifar
from horae.population.readers.fedscale import FedScale
from horae.population.readers.hf import HuggingFace
from horae.population.readers.idx import Idx
from horae.population.readers.leaf import Leaf
from horae.population.readers.movielens import MovieLens
from horae.population.readers.table import Table
from horae.population.readers.wav_folder import WavFolder

READERS: dict[str, Any] = {
    "fedscale": FedScale,
    "leaf": Leaf,
    "table": Table,
    "idx": Idx,
    "cifar": Cifar,
    "movielens": MovieLens,
    "wav-folder": WavFolder,
    "hf": HuggingFace,
}

__all__ = ["READERS", "Cifar", "FedScale", "HuggingFace", "Idx", "Leaf", "MovieLens", "Table", "WavFolder"]
