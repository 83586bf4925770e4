"""Plain torch, as a Flower app is usually written."""

import torch
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from overhead.data import samples
from torch import nn

app = ClientApp()


def made(message, context):
    """The network with the server's weights, and this node's samples."""
    hidden = int(context.run_config["hidden"])
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    net.load_state_dict(message.content["arrays"].to_torch_state_dict())
    return net, *map(torch.from_numpy, samples(context.node_config))


@app.train()
def train(message, context):
    """The steps of one round."""
    net, x, y = made(message, context)
    descent = torch.optim.SGD(net.parameters(), 0.05)
    for _ in range(int(context.run_config["steps"])):
        rows = torch.randint(160, (20,))
        descent.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        descent.step()
    metrics = MetricRecord({"num-examples": 160, "loss": float(loss)})
    content = RecordDict({"arrays": ArrayRecord(net.state_dict()), "metrics": metrics})
    return Message(content, reply_to=message)


@app.evaluate()
def evaluate(message, context):
    """The accuracy on what was not trained on."""
    net, x, y = made(message, context)
    with torch.no_grad():
        right = (net(x[160:]).argmax(dim=1) == y[160:]).float().mean()
    metrics = MetricRecord({"num-examples": 40, "accuracy": float(right)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
