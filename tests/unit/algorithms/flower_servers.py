"""Three steps of Flower's server optimisers, for test_against_flower.py beside it.

Where Flower is installed (`python -m venv v && v/bin/pip install flwr==1.41.0`): `v/bin/python flower_servers.py`.
"""

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAdam, FedAvgM, FedYogi
from flwr.supercore.task_identity import TaskIdentity

START = np.array([0.5, -1.0, 2.0])
UPDATES = (  # three rounds, two clients with 30 and 10 samples
    ([0.3, -0.2, 0.0], [-0.1, 0.4, 0.8]),
    ([0.1, 0.1, -0.5], [0.2, -0.3, 0.1]),
    ([-0.4, 0.05, 0.3], [0.0, 0.6, -0.9]),
)
SAMPLES = (30, 10)


def replies(model, round_):
    """The two clients' answers, as Flower's strategy reads them."""
    out = []
    for update, n in zip(UPDATES[round_], SAMPLES, strict=True):
        content = RecordDict(
            {
                "arrays": ArrayRecord([model + np.array(update)]),
                "metrics": MetricRecord({"num-examples": n}),
            }
        )
        ask = Message(content=RecordDict(), dst_node_id=1, message_type="train")
        out.append(Message(content, reply_to=ask))
    return out


def steps(strategy):
    """The model after each of three rounds."""
    model = START
    for round_ in range(3):
        record = ArrayRecord([model])
        strategy.current_arrays = record if isinstance(strategy, FedAvgM) else {k: a.numpy() for k, a in record.items()}
        new, _ = strategy.aggregate_train(round_ + 1, replies(model, round_))
        model = new.to_numpy_ndarrays()[0]
        print(type(strategy).__name__, model.tolist())


if __name__ == "__main__":
    TaskIdentity.run_id = TaskIdentity.task_id = TaskIdentity.node_id = 1  # a message must have a sender
    steps(FedAvgM(server_learning_rate=0.7, server_momentum=0.9))
    steps(FedAdam(eta=0.1, beta_1=0.9, beta_2=0.99, tau=1e-3))
    steps(FedYogi(eta=0.1, beta_1=0.9, beta_2=0.99, tau=1e-3))
