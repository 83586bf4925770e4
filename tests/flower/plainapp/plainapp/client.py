"""A client that adds its number to every weight, and says where it ran."""

import importlib.util
import os
import time
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """One step of training: w + client."""
    client = int(context.node_config["client"])
    time.sleep(float(context.run_config["pause"]))
    pause = Path(str(context.node_config["state-dir"])) / "pause"  # a test may hold this node up, once
    if pause.exists():
        seconds = float(pause.read_text())
        pause.unlink()
        time.sleep(seconds)
    arrays = {name: array.numpy() for name, array in message.content["arrays"].items()}
    new = {name: Array(np.asarray(array + client, array.dtype)) for name, array in arrays.items()}
    calls = int(context.state["calls"]["n"]) + 1 if "calls" in context.state else 1
    context.state["calls"] = ConfigRecord({"n": calls})
    metrics = MetricRecord(
        {
            "num-examples": 10,
            "client": float(client),
            "calls": float(calls),
            "torch": float(importlib.util.find_spec("torch") is not None),
            "horae": float(importlib.util.find_spec("horae") is not None),
            "pid": float(os.getpid()),
        }
    )
    return Message(RecordDict({"arrays": ArrayRecord(new), "metrics": metrics}), reply_to=message)
