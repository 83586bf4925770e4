"""Trains by horae's trainer, and knows nothing else of it."""

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from overhead.data import samples

from horae.training import Mlp, Trainer, Training, Work, initial

app = ClientApp()
ROWS = np.arange(160)  # horae tests on the other 40


def trainer(context):
    """Of the same table as in experiment.toml."""
    x, y = samples(context.node_config)
    table = Training(optimizer="sgd", lr=0.05, steps=int(context.run_config["steps"]), batch=20)
    return Trainer(initial(Mlp((int(context.run_config["hidden"]),)), (64,), 10, 0), table, x, y, 0)


@app.train()
def train(message, context):
    """The steps of one round."""
    here, client = trainer(context), np.array([0])
    start = message.content["arrays"]["params"].numpy()
    number = int(message.content["config"]["server-round"])
    done = here.train(Work(start, here.initial_buffers, client, [ROWS], number))
    arrays = ArrayRecord({"params": Array(start + done.updates[0])})
    metrics = MetricRecord({"num-examples": ROWS.size, "loss": float(done.losses[0])})
    return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message, context):
    """The accuracy on what was not trained on."""
    x, y = samples(context.node_config)
    hidden, flat = int(context.run_config["hidden"]), message.content["arrays"]["params"].numpy()
    one, two, three = 64 * hidden, 65 * hidden, 75 * hidden
    inside = np.maximum(x[160:] @ flat[:one].reshape(hidden, 64).T + flat[one:two], 0)
    guess = (inside @ flat[two:three].reshape(10, hidden).T + flat[three:]).argmax(axis=1)
    metrics = MetricRecord({"num-examples": 40, "accuracy": float((guess == y[160:]).mean())})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
