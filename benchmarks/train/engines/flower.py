"""Flower 1.42 in its own environment: `python -m benchmarks.train.engines.flower TASK`.

Its best setting on two cores: two Ray actors of one CPU and one thread each. One simulation lasts for the whole bench;
its ServerApp does a round of FedAvg when told to. A round is timed from configure_train to the end of aggregate_train.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

SWITCHES = ("FLWR_TELEMETRY_ENABLED", "RAY_USAGE_STATS_ENABLED")
os.environ.update(dict.fromkeys(SWITCHES, "0"), FLWR_DISABLE_UPDATE_CHECK="1", RAY_DEDUP_LOGS="0")

import numpy as np  # noqa: E402
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict  # noqa: E402
from flwr.serverapp import Grid, ServerApp  # noqa: E402
from flwr.serverapp.strategy import FedAvg  # noqa: E402
from flwr.simulation import run_simulation  # noqa: E402

from benchmarks.train.engines import flower_client  # noqa: E402
from benchmarks.train.engines.naive import state_of  # noqa: E402
from benchmarks.train.task import Task  # noqa: E402
from benchmarks.train.wire import Wire  # noqa: E402

ONE_CPU = {"num_cpus": 1, "num_gpus": 0.0}


class Timed(FedAvg):
    """FedAvg that tells each of its nodes which client to be, and watches the clock."""

    def __init__(self, task: Task) -> None:
        super().__init__(fraction_evaluate=0.0, min_evaluate_nodes=0)
        self.places, self.seconds = task.clients.tolist(), 0.0

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """A message to the node at each client's place."""
        self.started = time.perf_counter()
        nodes = list(grid.get_node_ids())
        configs = (ConfigRecord({"client": client}) for client in range(len(self.places)))
        contents = [RecordDict({"arrays": arrays, "config": own}) for own in configs]
        return [Message(c, nodes[place], "train") for c, place in zip(contents, self.places, strict=True)]

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """As FedAvg does; then the clock stops."""
        found = super().aggregate_train(server_round, replies)
        self.seconds = time.perf_counter() - self.started
        return found


class Flower:
    """Rounds of the strategy on a running grid."""

    def __init__(self, task: Task, grid: Grid) -> None:
        self.grid, self.strategy = grid, Timed(task)
        self.names = list(state := state_of(task))
        self.arrays = ArrayRecord({name: Array(values) for name, values in state.items()})
        while len(list(grid.get_node_ids())) < task.population:
            time.sleep(0.1)

    def round(self) -> float:
        """One round; seconds as the strategy saw them."""
        self.arrays = self.strategy.start(self.grid, self.arrays, num_rounds=1).arrays
        return self.strategy.seconds

    def params(self) -> np.ndarray:
        """The model as a vector."""
        return np.concatenate([self.arrays[name].numpy().reshape(-1) for name in self.names])


def main() -> None:
    """Answer the harness from inside the ServerApp."""
    wire, task = Wire(), Task.load(sys.argv[1])
    os.environ[flower_client.TASK] = sys.argv[1]
    server = ServerApp()

    @server.main()
    def serve(grid: Grid, context: Context) -> None:
        wire.obey(Flower(task, grid))

    wire.ready(flwr=version("flwr"), ray=version("ray"))
    ray = {"num_cpus": 2, "_temp_dir": str(Path(sys.argv[1]).parent / "ray")}
    actors = {"client_resources": ONE_CPU, "init_args": ray}
    run_simulation(server, flower_client.app, task.population, backend_config=actors)


if __name__ == "__main__":
    main()
