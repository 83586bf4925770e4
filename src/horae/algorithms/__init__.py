"""What the server does with updates. A new algorithm is one file here and one line below."""

from horae.algorithms.ditto import Ditto
from horae.algorithms.fedadam import FedAdam
from horae.algorithms.fedavg import FedAvg
from horae.algorithms.fedavgm import FedAvgM
from horae.algorithms.fedbuff import FedBuff
from horae.algorithms.fedprox import FedProx
from horae.algorithms.fedyogi import FedYogi
from horae.algorithms.ftfa import FTFA
from horae.algorithms.qfedavg import QFedAvg
from horae.algorithms.saa import SAA
from horae.algorithms.scaffold import Scaffold

ALGORITHMS = {
    "fedavg": FedAvg,
    "fedavgm": FedAvgM,
    "fedadam": FedAdam,
    "fedyogi": FedYogi,
    "fedprox": FedProx,
    "qfedavg": QFedAvg,
    "scaffold": Scaffold,
    "ftfa": FTFA,
    "ditto": Ditto,
    "fedbuff": FedBuff,
    "saa": SAA,
}

__all__ = [
    "ALGORITHMS",
    "FTFA",
    "SAA",
    "Ditto",
    "FedAdam",
    "FedAvg",
    "FedAvgM",
    "FedBuff",
    "FedProx",
    "FedYogi",
    "QFedAvg",
    "Scaffold",
]
