"""Who, of those present, is invited. A new selector is one file here and one line below."""

from horae.selectors.oort import Oort
from horae.selectors.power_of_choice import PowerOfChoice
from horae.selectors.pyramidfl import PyramidFL
from horae.selectors.refl import Refl
from horae.selectors.uniform import Uniform

SELECTORS = {
    "uniform": Uniform,
    "oort": Oort,
    "pyramidfl": PyramidFL,
    "refl": Refl,
    "power-of-choice": PowerOfChoice,
}

__all__ = ["SELECTORS", "Oort", "PowerOfChoice", "PyramidFL", "Refl", "Uniform"]
