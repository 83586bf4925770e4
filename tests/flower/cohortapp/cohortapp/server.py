"""FedYogi in every cohort; what came of each round goes to the file `out` as one line of JSON."""

import json
import time
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedYogi

from horae.clustering import Auxo
from horae.flower import cohorts

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Cohorts, from their checkpoint if there is one."""
    config = context.run_config
    out, began = Path(str(config["out"])), time.monotonic()

    def tell(facts: dict) -> None:
        with out.open("a") as file:
            file.write(json.dumps({**facts, "seconds": time.monotonic() - began}) + "\n")

    models = cohorts(
        lambda: FedYogi(eta=0.5, fraction_evaluate=0.0),
        Auxo(at=(2,), k=2, k_max=2, min_members=2, min_participants=1, epsilon=0.0),
        rounds=int(config["rounds"]),
        checkpoint=str(config["checkpoint"]),
        lockstep=True,
        evaluate_every=0,
        deadline_s=60.0,
        on_round=lambda end: tell({"path": end.path, "round": end.round, "nodes": end.nodes, "bad": end.failures}),
    ).start(grid, ArrayRecord({"w": Array(np.zeros(512, np.float32))}))
    tell({"models": {str(path): float(arrays["w"].numpy().mean()) for path, arrays in models.items()}})
