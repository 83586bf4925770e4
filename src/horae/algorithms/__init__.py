"""What the server does with updates. A new algorithm is one file here and one line below."""

from horae.algorithms.fedavg import FedAvg
from horae.algorithms.fedyogi import FedYogi

ALGORITHMS = {"fedavg": FedAvg, "fedyogi": FedYogi}

__all__ = ["ALGORITHMS", "FedAvg", "FedYogi"]
