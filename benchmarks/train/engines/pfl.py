"""pfl-research 0.6 in its own environment: `python -m benchmarks.train.engines.pfl TASK THREADS`.

One process with all threads is its best setting for networks that are not tiny. Samples lie as tensors in the order of
the steps, metrics and evaluation are off; only the first round, which is dropped, evaluates.
"""

from __future__ import annotations

import itertools
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from pfl.aggregate.simulate import SimulatedBackend
from pfl.aggregate.weighting import WeightByDatapoints
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.pytorch import PyTorchTensorDataset
from pfl.hyperparam import NNTrainHyperParams
from pfl.metrics import Weighted
from pfl.model.pytorch import PyTorchModel
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.train.naive import network
from benchmarks.train.task import Task
from benchmarks.train.wire import Wire

NEVER = 10**9


class Net(nn.Module):
    """The network with the two methods that pfl asks for."""

    def __init__(self, spec: dict[str, Any]) -> None:
        super().__init__()
        self.layers = network(spec)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy of a batch."""
        return cross_entropy(self.layers(x), y)

    @torch.no_grad()
    def metrics(self, x: Tensor, y: Tensor) -> dict[str, Weighted]:
        """The loss, as a metric."""
        return {"loss": Weighted(float(self.loss(x, y)) * len(y), len(y))}


class Pfl:
    """Federated averaging, asked for one more central iteration at a time."""

    def __init__(self, task: Task) -> None:
        self.net, self.done, n = Net(task.spec), 0, len(task.rows)
        nn.utils.vector_to_parameters(torch.from_numpy(task.params), self.net.parameters())
        users = {str(i): tuple(torch.from_numpy(part) for part in task.in_order(i)) for i in range(n)}
        order = itertools.cycle(users)
        people = FederatedDataset(lambda user: PyTorchTensorDataset(users[user], user_id=user), lambda: next(order))
        self.backend = SimulatedBackend(people, people, postprocessors=[WeightByDatapoints()])
        self.model = PyTorchModel(self.net, torch.optim.SGD, torch.optim.SGD(self.net.parameters(), lr=1.0))
        self.algorithm, self.cohort = FederatedAveraging(), n
        self.training = NNTrainHyperParams(
            local_num_epochs=1, local_learning_rate=task.lr, local_batch_size=task.batch, local_max_grad_norm=None
        )

    def round(self) -> None:
        """One central iteration."""
        self.done += 1
        params = NNAlgorithmParams(
            central_num_iterations=self.done,
            evaluation_frequency=NEVER,
            train_cohort_size=self.cohort,
            val_cohort_size=None,
        )
        self.algorithm.run(params, self.backend, self.model, self.training, send_metrics_to_platform=False)

    def params(self) -> np.ndarray:
        """The model as a vector."""
        return nn.utils.parameters_to_vector(self.net.parameters()).detach().numpy()


def main() -> None:
    """Answer the harness."""
    wire = Wire()
    torch.set_num_threads(int(sys.argv[2]))
    engine = Pfl(Task.load(sys.argv[1]))
    wire.ready(pfl=version("pfl"), torch=torch.__version__)
    wire.obey(engine)


if __name__ == "__main__":
    main()
