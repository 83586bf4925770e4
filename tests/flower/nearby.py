"""Flower nodes in this process: a grid over real ClientApps, each with a context and a state directory of its own."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid

from horae.flower import affinity_mod
from horae.flower.grid import ONE

FIRST = 2**63 + 5  # node ids are 64 bits without a sign


def pretend():
    """What the process of a ServerApp sets, in versions of Flower that want it before a message is made."""
    try:
        from flwr.supercore.task_identity import TaskIdentity
    except ImportError:
        return
    TaskIdentity._run_id, TaskIdentity._node_id, TaskIdentity._task_id = 1, 1, 1


def model(value=0.0):
    """Six weights, two biases, and a counter as batch norms have."""
    arrays = {"w": np.full((3, 2), value, np.float32), "b": np.full(2, value, np.float32), "n": np.array(0)}
    return ArrayRecord({key: Array(array) for key, array in arrays.items()})


def flat(arrays):
    return np.concatenate([arrays[key].numpy().ravel() for key in ("b", "w")])


def target(client):
    """What a client learns: even ones go east, odd ones west, each a little aside."""
    rng = np.random.default_rng(client)
    return (np.where(client % 2, -1.0, 1.0) + 0.1 * rng.normal(size=8)).astype(np.float32)


def learner(mods, client):
    """An app that walks a third of the way to its target."""
    app = ClientApp(mods=mods)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        if mods:
            assert set(message.content) == {"arrays", "config"}  # what cohorts add is taken away again
        sent = {key: array.numpy() for key, array in message.content["arrays"].items()}
        goal = target(client)
        new = {"w": sent["w"] + (goal[2:].reshape(3, 2) - sent["w"]) / 3, "b": sent["b"] + (goal[:2] - sent["b"]) / 3}
        arrays = ArrayRecord({key: Array(np.asarray(array)) for key, array in {**new, "n": sent["n"] + 1}.items()})
        metrics = MetricRecord(
            {"num-examples": 10 + client, "loss": float(np.abs(goal - flat(message.content["arrays"])).mean())}
        )
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        loss = float(np.abs(target(client) - flat(message.content["arrays"])).mean())
        return Message(RecordDict({"metrics": MetricRecord({"num-examples": 10, "loss": loss})}), reply_to=message)

    return app


class Nearby(Grid):
    """N nodes, each served by a thread. bend: what becomes of a reply; None is no reply at all.

    sent: (group, node, type) in order. clashes: nodes that had messages of two cohorts at once.
    """

    def __init__(
        self,
        n: int,
        state_root=None,
        bend: Callable[[Message, Message], Message | None] | None = None,
        in_ram: bool = False,
    ) -> None:
        pretend()
        self.nodes = [FIRST + i for i in range(n)]
        self._contexts = {node: Context(1, node, {}, RecordDict(), {}) for node in self.nodes}
        mod = (lambda i: [affinity_mod(state_root and state_root / str(i))]) if state_root or in_ram else lambda i: []
        self._apps = {node: learner(mod(i), i) for i, node in enumerate(self.nodes)}
        self._bend, self._lock, self._ids = bend or (lambda message, reply: reply), threading.RLock(), itertools.count()
        self._pool = ThreadPoolExecutor(n)
        self._replies: dict[str, Message] = {}
        self._open: dict[int, set[str]] = defaultdict(set)
        self.sent: list[tuple[str, int, str]] = []
        self.clashes: list[tuple[int, set[str]]] = []
        self.sizes: list[int] = []
        self.before_push: Callable[[list[Message]], None] = lambda messages: None

    def set_run(self, run):
        self._run = run

    @property
    def run(self):
        return None

    def create_message(self, *args, **options):
        return Message(*args, **options)

    def get_node_ids(self):
        return list(self.nodes)

    def push_messages(self, messages):
        messages = list(messages)
        self.before_push(messages)
        names = []
        for message in messages:
            with self._lock:
                name, node = f"m{next(self._ids)}", message.metadata.dst_node_id
                self._open[node].add(message.metadata.group_id)
                if len(self._open[node]) > 1:
                    self.clashes.append((node, set(self._open[node])))
                self.sent.append((message.metadata.group_id, node, message.metadata.message_type))
            message.metadata.__dict__["_message_id"] = name
            self._pool.submit(self._serve, name, message)
            names.append(name)
        return names

    def _serve(self, name, message):
        node = message.metadata.dst_node_id
        try:
            own = Message(RecordDict(dict(message.content)), metadata=message.metadata)
            with ONE:  # clients of a real deployment are processes of their own
                reply = self._apps[node](own, self._contexts[node])
        except Exception as error:
            reply = Message(Error(code=1, reason=repr(error)), reply_to=message)
        reply.metadata.__dict__["_src_node_id"] = node
        if reply.has_content() and "horae.request" in reply.content:
            self.sizes.append(len(reply.content["horae.request"]["request"]))
        reply = self._bend(message, reply)
        with self._lock:
            self._open[node].discard(message.metadata.group_id)
            if reply is not None:
                self._replies[name] = reply

    def pull_messages(self, message_ids):
        with self._lock:
            return [self._replies.pop(name) for name in list(message_ids) if name in self._replies]

    def send_and_receive(self, messages, *, timeout=None):
        raise AssertionError("a cohort's grid waits itself")

    def close(self):
        self._pool.shutdown()
