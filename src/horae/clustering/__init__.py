"""Which clients train a model together. A new method is one file here and one line below."""

from horae.clustering.auxo import Auxo
from horae.clustering.cfl import Cfl
from horae.clustering.fedclust import FedClust
from horae.clustering.fedgwc import FedGwc
from horae.clustering.fesem import FeSem
from horae.clustering.fielding import Fielding
from horae.clustering.flexcfl import FlexCfl
from horae.clustering.flhc import FlHc
from horae.clustering.ifca import Ifca
from horae.clustering.oracle import Oracle
from horae.clustering.single import Single
from horae.clustering.stocfl import StoCfl

CLUSTERING = {
    "single": Single,
    "oracle": Oracle,
    "auxo": Auxo,
    "ifca": Ifca,
    "fesem": FeSem,
    "cfl": Cfl,
    "flhc": FlHc,
    "fedclust": FedClust,
    "fedgwc": FedGwc,
    "fielding": Fielding,
    "flexcfl": FlexCfl,
    "stocfl": StoCfl,
}

__all__ = [
    "CLUSTERING",
    "Auxo",
    "Cfl",
    "FeSem",
    "FedClust",
    "FedGwc",
    "Fielding",
    "FlHc",
    "FlexCfl",
    "Ifca",
    "Oracle",
    "Single",
    "StoCfl",
]
