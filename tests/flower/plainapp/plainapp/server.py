"""FedAvg for some rounds; what came of it goes to the file `out` as one line of JSON a round."""

import json
import time
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


class Told(FedAvg):
    """FedAvg that writes down each round: its seconds, the clients' numbers, and the ids of their nodes."""

    def __init__(self, out: Path, nodes: int) -> None:
        super().__init__(fraction_evaluate=0.0, min_train_nodes=nodes, min_available_nodes=nodes)
        self.out, self.since = out, 0.0

    def configure_train(self, server_round, arrays, config, grid):
        """FedAvg's messages, timed."""
        messages = list(super().configure_train(server_round, arrays, config, grid))
        self.since = time.monotonic()
        return messages

    def aggregate_train(self, server_round, replies):
        """FedAvg's mean, told."""
        replies = list(replies)
        arrays, metrics = super().aggregate_train(server_round, replies)
        good = [reply for reply in replies if reply.has_content()]
        facts = {
            "round": server_round,
            "seconds": time.monotonic() - self.since,
            "nodes": {str(m.metadata.src_node_id): m.content["metrics"]["client"] for m in good},
            "calls": {str(m.metadata.src_node_id): m.content["metrics"]["calls"] for m in good},
            "pids": sorted(m.content["metrics"]["pid"] for m in good),
            "sees": sorted({(m.content["metrics"]["torch"], m.content["metrics"]["horae"]) for m in good}),
            "errors": [reply.error.code for reply in replies if reply.has_error()],
            "mean": None if arrays is None else float(arrays["w"].numpy().mean()),
        }
        with self.out.open("a") as file:
            file.write(json.dumps(facts) + "\n")
        return arrays, metrics


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Two ways: a Flower strategy, or, with `only = "push"`, messages pushed and pulled by hand."""
    config = context.run_config
    rounds, out = int(config["rounds"]), Path(str(config["out"]))
    arrays = ArrayRecord({"w": Array(np.zeros(max(4, int(config["floats"])), np.float32))})
    if config["only"] == "push":
        pushed(grid, arrays, rounds, int(config["nodes"]), out)
        return
    Told(out, int(config["nodes"])).start(grid, arrays, rounds, timeout=120.0)


def pushed(grid: Grid, arrays: ArrayRecord, rounds: int, nodes: int, out: Path) -> None:
    """An exchange as horae makes it: replies are pulled twenty times a second."""
    while len(ids := list(grid.get_node_ids())) < nodes:
        time.sleep(0.05)
    for n in range(rounds):
        started = time.monotonic()
        content = [RecordDict({"arrays": arrays, "config": ConfigRecord({"server-round": n})}) for _ in ids]
        messages = [Message(c, node, "train", group_id=str(n)) for c, node in zip(content, ids, strict=True)]
        waiting = set(grid.push_messages(messages))
        while waiting:
            waiting -= {reply.metadata.reply_to_message_id for reply in grid.pull_messages(list(waiting))}
            time.sleep(0.05)
        with out.open("a") as file:
            file.write(json.dumps({"round": n, "seconds": time.monotonic() - started}) + "\n")
