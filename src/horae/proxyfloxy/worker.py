"""What runs at an endpoint: fetch the model, train on the endpoint's own samples, hand the update back."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from horae.errors import one_line
from horae.types import Floats, Ref

LINE, IN_LINE = 77, 57  # base64 as it is sent: lines of 76 letters and an end, for 57 bytes each
ROOM = 200  # letters of a reason


@dataclass(frozen=True)
class Task:
    """One endpoint's part of a round.

    payload: the model, where it travels in the task; else it lies under `model`, and the update goes under `reply_key`
    of the plane at `address`. limit: the most bytes of a message, 0 for none.
    """

    endpoint: int
    endpoints: int
    round: int
    trial: int
    seed: int
    data: str
    data_root: Path | None
    samples: int
    epochs: int
    architecture: str
    limit: int = 0
    timeout_s: float = 60.0
    payload: bytes = b""
    model: Ref | None = None
    address: str = ""
    reply_key: str = ""


@dataclass(frozen=True)
class Reply:
    """What came of a task. t_*: seconds by the endpoint's own clock; t_busy: all of them, from first to last."""

    samples: int
    loss: float
    accuracy: float
    t_get: float
    t_train: float
    t_put: float
    t_busy: float
    payload: bytes = b""
    update: Ref | None = None


@dataclass(frozen=True)
class Failure:
    """Why there is no update. kind: over-limit, timeout, lost or failed. size: of the message that was too large."""

    kind: str
    why: str
    size: int = 0

    def __str__(self) -> str:
        return f"{self.kind}: {self.why}"


def pack(arrays: dict[str, Floats]) -> bytes:
    """Arrays as safetensors bytes."""
    from safetensors.numpy import save

    data: bytes = save(arrays)
    return data


def unpack(data: bytes) -> dict[str, Floats]:
    """The arrays of safetensors bytes."""
    from safetensors.numpy import load

    arrays: dict[str, Floats] = load(data)
    return arrays


def encoded(nbytes: int) -> int:
    """How long so many bytes are as lines of base64, which is how Globus Compute sends them.

    >>> encoded(57), encoded(1), encoded(0)
    (77, 5, 0)
    """
    lines, rest = divmod(nbytes, IN_LINE)
    return LINE * lines + (4 * -(-rest // 3) + 1 if rest else 0)


def message_size(message: Task | Reply) -> int:
    """How long a message is where it is pickled and then written in base64."""
    empty = pickle.dumps(replace(message, payload=b""))
    return encoded(len(empty) + len(message.payload))


def too_large(message: Task | Reply, limit: int) -> Failure | None:
    """Why a service would refuse a message, or None."""
    size = message_size(message)
    what = "task" if isinstance(message, Task) else "result"
    return Failure("over-limit", f"{what} of {size:,} > {limit:,} bytes", size) if 0 < limit < size else None


def work(task: Task) -> Reply | Failure:
    """Train the model of a task. It never raises: an error that cannot be unpickled would break a whole pool."""
    try:
        with one_thread():
            return _work(task)
    except Exception as error:
        return Failure("failed", one_line(f"{type(error).__name__}: {error}", ROOM))


def ready(task: Task) -> Failure | None:
    """Load torch and the samples, train once, and fetch and hand over what the task leads to, before anything is timed.
    It never raises.
    """
    try:
        from horae.proxyfloxy.model import architecture, build, train, weights_of
        from horae.pure.streams import stream

        x, y = _rows(task)
        with one_thread():
            net = build(architecture(1))
            train(net, x[:2], y[:2], 1, stream(task.seed, "proxyfloxy warm"))
        unpack(pack(weights_of(net)))
        if task.payload or task.model is not None:
            _handed(task, _fetched(task))
    except Exception as error:
        return Failure("failed", one_line(error, ROOM))
    return None


def work_there(task: Task) -> Any:
    """`work`, found by importing: Globus Compute sends a function's text alone."""
    from horae.proxyfloxy.worker import work

    return work(task)


def ready_there(task: Task) -> Any:
    """`ready`, found by importing."""
    from horae.proxyfloxy.worker import ready

    return ready(task)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of arithmetic, so that sums are taken in the same order everywhere."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _work(task: Task) -> Reply | Failure:
    from horae.proxyfloxy.model import build, set_weights, train, weights_of
    from horae.pure.streams import stream

    woke = perf_counter()
    x, y = _rows(task)
    net = build(task.architecture)
    began = perf_counter()
    set_weights(net, _fetched(task))
    got = perf_counter()
    draw = stream(task.seed, "proxyfloxy training", task.trial, task.round, task.endpoint)
    loss, accuracy = train(net, x, y, task.epochs, draw)
    trained = perf_counter()
    payload, update = _handed(task, weights_of(net))
    ended = perf_counter()
    times = (got - began, trained - got, ended - trained, ended - woke)
    reply = Reply(len(y), loss, accuracy, *times, payload, update)
    return too_large(reply, task.limit) or reply


def _fetched(task: Task) -> dict[str, Floats]:
    """The model, from the message or from where it lies."""
    if task.model is None:
        return unpack(task.payload)
    from horae.data_planes import attach

    return attach(task.address).get(task.model, timeout_s=task.timeout_s)


def _handed(task: Task, arrays: dict[str, Floats]) -> tuple[bytes, Ref | None]:
    """The update as it travels: in the message, or by reference."""
    if task.model is None:
        return pack(arrays), None
    from horae.data_planes import attach

    return b"", attach(task.address).put_as(task.reply_key, arrays)


def _rows(task: Task) -> tuple[Floats, Any]:
    from horae.proxyfloxy.samples import held, load

    images = load(task.data, task.seed, task.data_root)
    return images.at(held(images, task.endpoint, task.endpoints, task.samples, task.seed, task.trial))
