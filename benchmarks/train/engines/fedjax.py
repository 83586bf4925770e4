"""FedJAX 0.0.17 in its own environment: `python -m benchmarks.train.engines.fedjax TASK`.

Its own federated averaging, with the one alias that newer versions of jax have dropped put back. Samples lie in the
order of the steps. XLA takes all cores.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

jax.tree_map = jax.tree_util.tree_map
import fedjax  # noqa: E402

from benchmarks.train.task import Task  # noqa: E402
from benchmarks.train.wire import Wire  # noqa: E402

Params = list[dict[str, jax.Array]]


def layers_of(spec: dict[str, Any]) -> list[dict[str, tuple[int, ...]]]:
    """The shapes of each layer's tensors, in the order of naive.network's parameters."""
    shapes: list[dict[str, tuple[int, ...]]] = []
    planes, side = spec["shape"][0], spec["shape"][-1]
    for width in spec["channels"]:
        layer = {"weight": (width, planes, spec["kernel"], spec["kernel"]), "bias": (width,)}
        shapes.append({**layer, "scale": (width,), "shift": (width,)} if spec["groups"] else layer)
        planes, side = width, side // 2
    inputs = planes * side * side if spec["channels"] else int(np.prod(spec["shape"]))
    for width in (*spec["hidden"], spec["classes"]):
        shapes.append({"weight": (width, inputs), "bias": (width,)})
        inputs = width
    return shapes


def unflatten(spec: dict[str, Any], vector: np.ndarray) -> Params:
    """The vector as layers of arrays."""
    params: Params = []
    start = 0
    for layer in layers_of(spec):
        params.append({})
        for name, shape in layer.items():
            size = int(np.prod(shape))
            params[-1][name] = jnp.asarray(vector[start : start + size].reshape(shape))
            start += size
    return params


def logits_of(spec: dict[str, Any], params: Params, x: jax.Array) -> jax.Array:
    """The network's answer to a batch."""
    stages = len(spec["channels"])
    for layer in params[:stages]:
        x = jax.lax.conv_general_dilated(x, layer["weight"], (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"))
        x = x + layer["bias"][:, None, None]
        if "scale" in layer:
            x = grouped_norm(x, spec["groups"]) * layer["scale"][:, None, None] + layer["shift"][:, None, None]
        x = jax.nn.relu(jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID"))
    x = x.reshape(len(x), -1)
    for layer in params[stages:-1]:
        x = jax.nn.relu(x @ layer["weight"].T + layer["bias"])
    return x @ params[-1]["weight"].T + params[-1]["bias"]


def grouped_norm(x: jax.Array, groups: int) -> jax.Array:
    """GroupNorm without its affine part."""
    parts = x.reshape(len(x), groups, -1)
    centred = parts - parts.mean(2, keepdims=True)
    return (centred * jax.lax.rsqrt((centred**2).mean(2, keepdims=True) + 1e-5)).reshape(x.shape)


class Fedjax:
    """Rounds of fedjax.algorithms.fed_avg."""

    def __init__(self, task: Task) -> None:
        def loss(params: Params, batch: dict[str, jax.Array], rng: jax.Array) -> jax.Array:
            logp = jax.nn.log_softmax(logits_of(task.spec, params, batch["x"]))
            return -jnp.take_along_axis(logp, batch["y"][:, None], 1).mean()

        steps = fedjax.ShuffleRepeatBatchHParams(batch_size=task.batch, num_steps=task.steps, skip_shuffle=True)
        self.algorithm = fedjax.algorithms.fed_avg.federated_averaging(
            jax.grad(loss), fedjax.optimizers.sgd(task.lr), fedjax.optimizers.sgd(1.0), steps
        )
        self.state = self.algorithm.init(unflatten(task.spec, task.params))
        columns = [dict(zip(("x", "y"), task.in_order(row), strict=True)) for row in range(len(task.rows))]
        keys = jax.random.split(jax.random.PRNGKey(0), len(columns))
        self.clients = [(i, fedjax.ClientDataset(own), keys[i]) for i, own in enumerate(columns)]

    def round(self) -> None:
        """One round, waited for."""
        self.state, _ = self.algorithm.apply(self.state, self.clients)
        jax.block_until_ready(self.state.params)

    def params(self) -> np.ndarray:
        """The model as a vector."""
        return np.concatenate([np.asarray(array).reshape(-1) for layer in self._ordered() for array in layer])

    def _ordered(self) -> list[list[jax.Array]]:
        """jax sorts a dictionary's names; the vector has them as torch does."""
        names = ("weight", "bias", "scale", "shift")
        return [[layer[name] for name in names if name in layer] for layer in self.state.params]


def main() -> None:
    """Answer the harness."""
    wire = Wire()
    engine = Fedjax(Task.load(sys.argv[1]))
    wire.ready(fedjax=version("fedjax"), jax=version("jax"))
    wire.obey(engine)


if __name__ == "__main__":
    main()
