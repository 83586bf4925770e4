"""Data sets by name, one file each; `horae data list` says which are here."""

import sys
from typing import Any

from horae.population.named.debian import DebianDescriptions
from horae.population.named.fashion import FashionMnist
from horae.population.named.glyphs import Glyphs
from horae.population.named.hapt import Hapt
from horae.population.named.shakespeare import Shakespeare
from horae.population.named.synthetic import Synthetic
from horae.population.recipes import LICENCE

NAMED: dict[str, Any] = {
    "fashion-mnist": FashionMnist,
    "hapt": Hapt,
    "debian-descriptions": DebianDescriptions,
    "shakespeare": Shakespeare,
    "synthetic": Synthetic,
    "glyphs": Glyphs,
}

SIZES = {"mnist-writers": "12 MB", "movielens": "2 MB"}  # of those whose file says nothing; digits come with horae


def licence_and_size(name: str, cls: Any) -> tuple[str, str]:
    """What a population's own module says of its licence and of the size of its files."""
    module = sys.modules[cls.__module__]
    embedded = name.startswith("digits-") or name == "virtual"
    licence = LICENCE if embedded else getattr(module, "LICENCE", "")
    return str(licence), str(getattr(module, "SIZE", "embedded" if embedded else SIZES.get(name, "")))


__all__ = [
    "NAMED",
    "DebianDescriptions",
    "FashionMnist",
    "Glyphs",
    "Hapt",
    "Shakespeare",
    "Synthetic",
    "licence_and_size",
]
