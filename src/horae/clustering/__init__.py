"""Which clients train a model together. A new method is one file here and one line below."""

from horae.clustering.auxo import Auxo
from horae.clustering.oracle import Oracle
from horae.clustering.single import Single

CLUSTERING = {"single": Single, "oracle": Oracle, "auxo": Auxo}

__all__ = ["CLUSTERING", "Auxo", "Oracle", "Single"]
