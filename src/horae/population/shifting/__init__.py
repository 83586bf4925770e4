"""What makes groups of clients differ, over time too. A new one is one file here and one line below.

A shift may have a method `check(pool)`, which refuses samples that it cannot change, fields `from_s` and `over_s`,
which say when it sets in, and a field `tests`, false where it leaves test samples alone.
"""

from typing import Any

from horae.population.shifting.affine import Affine
from horae.population.shifting.colour import Colour
from horae.population.shifting.naming import LabelNoise, LabelPermutation
from horae.population.shifting.rotation import Rotation

SHIFTS: dict[str, Any] = {
    "rotation": Rotation,
    "affine": Affine,
    "colour": Colour,
    "label-permutation": LabelPermutation,
    "label-noise": LabelNoise,
}

__all__ = ["SHIFTS", "Affine", "Colour", "LabelNoise", "LabelPermutation", "Rotation"]
