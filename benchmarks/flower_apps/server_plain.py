"""Flower's own FedAvg; `evaluate` is the share of nodes that evaluate after each round."""

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from overhead.told import watched

app = ServerApp()


@app.main()
def main(grid, context):
    """One array of all weights, or those of torch's layers, of `hidden` units between 64 inputs and 10 classes."""
    config, nodes = context.run_config, int(context.run_config["nodes"])
    hidden, rng = int(config["hidden"]), np.random.default_rng(0)
    shapes = {"1.weight": (hidden, 64), "1.bias": (hidden,), "3.weight": (10, hidden), "3.bias": (10,)}
    if not config["layers"]:
        shapes = {"params": (75 * hidden + 10,)}
    arrays = {name: Array(rng.normal(0, 0.05, shape).astype(np.float32)) for name, shape in shapes.items()}
    strategy = FedAvg(
        fraction_evaluate=float(config["evaluate"]), min_train_nodes=nodes, min_available_nodes=nodes,
        min_evaluate_nodes=nodes,
    )  # fmt: skip
    strategy.start(watched(grid, config["out"]), ArrayRecord(arrays), int(config["rounds"]), timeout=300.0)
