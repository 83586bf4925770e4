"""How a round's updates become one direction. A new rule is one file here and one line below."""

from horae.aggregation.central_dp import CentralDP
from horae.aggregation.krum import Krum
from horae.aggregation.mean import Mean
from horae.aggregation.median import Median
from horae.aggregation.trimmed_mean import TrimmedMean

AGGREGATION = {
    "mean": Mean,
    "median": Median,
    "trimmed-mean": TrimmedMean,
    "krum": Krum,
    "central-dp": CentralDP,
}

__all__ = ["AGGREGATION", "CentralDP", "Krum", "Mean", "Median", "TrimmedMean"]
