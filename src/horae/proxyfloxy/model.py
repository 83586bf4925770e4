"""ProxyFloxy's convolutional network, in torch, of any depth.

    Conv32 - BN - Pool - n times (Conv64 - BN) - Pool - Flatten - Dense128 - Dropout 0.2 - Dense10

Source: proxystore/federated-learning, `create_model` (Keras). Its counts of parameters include the running means and
variances, which travel too. Reading: running statistics move halfway at each step, not by a hundredth as in Keras: four
steps a round would leave them where they began, and ten blocks at chance on any test (docs/proxyfloxy.md).
"""

from __future__ import annotations

import json

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from horae.pure.streams import stream
from horae.types import Floats, Ints

SIDE, CLASSES, BATCH, EPSILON, MOMENTUM = 28, 10, 32, 1e-3, 0.5
BLOCKS = (1, 10, 20, 30, 40, 50)
Arrays = dict[str, Floats]


class Dropout(nn.Module):
    """Dropout whose random numbers are given to it, so that the same seed drops the same in any thread."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.draw = np.random.default_rng(0)

    def forward(self, x: Tensor) -> Tensor:
        """Zero a share `rate` of the values, scale up the others; nothing outside of training."""
        if not self.training:
            return x
        kept = torch.from_numpy(self.draw.random(tuple(x.shape), np.float32) >= self.rate)
        return x * kept / (1 - self.rate)


def architecture(blocks: int) -> str:
    """What an endpoint builds the network from: a short JSON text, about as long for every depth."""
    return json.dumps({"filters": [32, 64], "blocks": blocks, "dense": 128, "dropout": 0.2, "classes": CLASSES})


def build(text: str) -> nn.Sequential:
    """The network of that architecture, with torch's own first weights."""
    shape = json.loads(text)
    first, then = shape["filters"]
    layers: list[nn.Module] = [*_convolution(1, first), nn.MaxPool2d(2)]
    for i in range(shape["blocks"]):
        layers += _convolution(then if i else first, then)
    flat = (SIDE // 4) ** 2 * (then if shape["blocks"] else first)
    layers += [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(flat, shape["dense"]), nn.ReLU()]
    return nn.Sequential(*layers, Dropout(shape["dropout"]), nn.Linear(shape["dense"], shape["classes"]))


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    """3x3, as large as its input, with bias, then ReLU, then batch normalisation: Keras' order upstream."""
    normal = nn.BatchNorm2d(outputs, eps=EPSILON, momentum=MOMENTUM)
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), normal]


def first_weights(text: str, seed: int, trial: int) -> Arrays:
    """Glorot's uniform weights, biases of 0, as Keras begins; what batch normalisation begins with."""
    arrays = {name: array.copy() for name, array in weights_of(build(text)).items()}
    draw = stream(seed, "proxyfloxy weights", trial)
    for name, array in arrays.items():
        if array.ndim > 1:
            field = int(np.prod(array.shape[2:]))
            bound = np.sqrt(6 / (field * (array.shape[0] + array.shape[1])))
            arrays[name] = draw.uniform(-bound, bound, array.shape).astype(np.float32)
    for name, owner in build(text).named_modules():
        if isinstance(owner, nn.Conv2d | nn.Linear):
            arrays[f"{name}.bias"] = np.zeros_like(arrays[f"{name}.bias"])
    return arrays


def weights_of(net: nn.Module) -> Arrays:
    """Weights and running statistics, as views; torch's count of batches is left out, nobody reads it."""
    return {name: t.detach().numpy() for name, t in net.state_dict().items() if t.is_floating_point()}


def set_weights(net: nn.Module, arrays: Arrays) -> None:
    """Write arrays into a network. Errors: ValueError where they are not of this network."""
    own = weights_of(net)
    if {name: array.shape for name, array in arrays.items()} != {name: array.shape for name, array in own.items()}:
        raise ValueError("the arrays are not those of this network")
    for name, array in own.items():
        array[...] = arrays[name]


def count(arrays: Arrays) -> int:
    """How many numbers a model has, running statistics included, as Keras counts."""
    return sum(array.size for array in arrays.values())


def train(net: nn.Sequential, x: Floats, y: Ints, epochs: int, draw: np.random.Generator) -> tuple[float, float]:
    """Adam on shuffled batches of 32; the mean loss and accuracy while training, over all epochs."""
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7)
    for module in net:
        if isinstance(module, Dropout):
            module.draw = draw
    net.train()
    losses, right = 0.0, 0
    for _ in range(epochs):
        order = draw.permutation(len(y))
        for rows in (order[at : at + BATCH] for at in range(0, len(y), BATCH)):
            logits, targets = net(_images(x[rows])), torch.from_numpy(y[rows])
            loss = cross_entropy(logits, targets)
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
            losses += float(loss.detach()) * len(rows)
            right += int((logits.argmax(1) == targets).sum())
    return losses / (epochs * len(y)), right / (epochs * len(y))


def evaluate(net: nn.Sequential, x: Floats, y: Ints) -> tuple[float, float]:
    """Mean loss and accuracy."""
    net.eval()
    losses, right = 0.0, 0
    with torch.inference_mode():
        for at in range(0, len(y), 8 * BATCH):
            targets = torch.from_numpy(y[at : at + 8 * BATCH])
            logits = net(_images(x[at : at + 8 * BATCH]))
            losses += float(cross_entropy(logits, targets, reduction="sum"))
            right += int((logits.argmax(1) == targets).sum())
    return losses / len(y), right / len(y)


def _images(x: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x)).unsqueeze(1)
