"""A client that walks half of the way to +1 or to -1, whichever is its group's, a little aside."""

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from horae.flower import affinity_mod

app = ClientApp(mods=[affinity_mod()])


@app.train()
def train(message: Message, context: Context) -> Message:
    """Half a step to the goal."""
    client = int(context.node_config["client"])
    goal = (-1.0) ** client + np.random.default_rng(client).normal(size=512) * 0.1
    arrays = {name: array.numpy() for name, array in message.content["arrays"].items()}
    new = {name: Array((array + (goal - array) / 2).astype(np.float32)) for name, array in arrays.items()}
    metrics = MetricRecord({"num-examples": 10, "client": float(client)})
    return Message(RecordDict({"arrays": ArrayRecord(new), "metrics": metrics}), reply_to=message)
