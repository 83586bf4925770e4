"""On which of its own samples a client trains. A new method is one file here and one line below."""

from horae.alignment.common import distance, unfixable
from horae.alignment.halor import Halor, explained
from horae.alignment.off import Off

ALIGNMENT = {"off": Off, "halor": Halor}

__all__ = ["ALIGNMENT", "Halor", "Off", "distance", "explained", "unfixable"]
