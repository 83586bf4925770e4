"""How a round's updates become one direction. A new rule is one file here and one line below."""

from horae.aggregation.mean import Mean

AGGREGATION = {"mean": Mean}

__all__ = ["AGGREGATION", "Mean"]
