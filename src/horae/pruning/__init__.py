"""Which weights are trained and sent. A new method is one file here and one line below."""

from horae.pruning.dense import Dense

PRUNING = {"dense": Dense}

__all__ = ["PRUNING", "Dense"]
