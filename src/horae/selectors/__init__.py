"""Who, of those present, is invited. A new selector is one file here and one line below."""

from horae.selectors.uniform import Uniform

SELECTORS = {"uniform": Uniform}

__all__ = ["SELECTORS", "Uniform"]
