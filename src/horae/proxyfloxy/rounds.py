"""One process of the sweep: rounds of federated averaging over some endpoints, with one carrier and one depth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from horae.errors import HoraeError, one_line
from horae.proxyfloxy import model as network
from horae.proxyfloxy.carriers import Carrier
from horae.proxyfloxy.endpoints import Endpoints
from horae.proxyfloxy.samples import Images, load
from horae.proxyfloxy.sites import Sites
from horae.proxyfloxy.table import OK, Row
from horae.proxyfloxy.worker import (
    ROOM,
    Failure,
    Reply,
    Task,
    encoded,
    message_size,
    one_thread,
    pack,
    too_large,
    work_there,
)
from horae.types import Floats


@dataclass(frozen=True)
class Sweep:
    """What is swept. interval_s: sleep after a round, as upstream. timeout_s: the longest that an endpoint may take."""

    endpoints: Endpoints
    data: str = "digits"
    data_root: Path | None = None
    samples: int = 100
    epochs: int = 1
    loops: int = 5
    interval_s: float = 3.0
    blocks: tuple[int, ...] = network.BLOCKS
    trials: int = 1
    seed: int = 0
    timeout_s: float = 600.0

    def images(self) -> Images:
        """The images, as every endpoint has them."""
        return load(self.data, self.seed, self.data_root)

    def task(self, endpoint: int, round: int, trial: int, text: str) -> Task:
        """What an endpoint is asked, as yet without a model."""
        return Task(
            endpoint, len(self.endpoints.workers), round, trial, self.seed, self.data, self.data_root,
            self.samples, self.epochs, text, timeout_s=self.timeout_s,
        )  # fmt: skip


@dataclass
class Sent:
    """A task on its way. done: when its result was here, by the controller's clock."""

    size: int
    began: float = 0.0
    done: float = nan
    future: Future[Any] | None = None
    refused: Failure | None = None

    def arrived(self, _: Future[Any]) -> None:
        """The result is here, whoever looks at it when."""
        self.done = time.perf_counter()


@dataclass
class Sum:
    """Sum of samples times arrays, in double precision, in the order of the endpoints."""

    arrays: dict[str, Any] = field(default_factory=dict)
    samples: int = 0

    def add(self, arrays: dict[str, Floats], samples: int, like: dict[str, Floats]) -> None:
        """One more update. Errors: ValueError where it is not one of this model, or not finite."""
        if {k: v.shape for k, v in arrays.items()} != {k: v.shape for k, v in like.items()}:
            raise ValueError("the update is not one of this model")
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("the update is not finite")
        for name, array in arrays.items():
            weighted = array.astype(np.float64) * samples
            self.arrays[name] = self.arrays[name] + weighted if name in self.arrays else weighted
        self.samples += samples

    def mean(self) -> dict[str, Floats]:
        """The average by samples."""
        return {name: (array / self.samples).astype(np.float32) for name, array in self.arrays.items()}


@dataclass
class Process:
    """Rounds with one carrier, one depth and one trial; the model is carried from round to round."""

    sweep: Sweep
    carrier: Carrier
    sites: Sites
    blocks: int
    trial: int
    connector: str
    executor: str

    def __post_init__(self) -> None:
        self.text = network.architecture(self.blocks)
        self.arrays = network.first_weights(self.text, self.sweep.seed, self.trial)
        self.net: nn.Sequential = network.build(self.text)
        self.param_size = encoded(len(pack(self.arrays)))

    def rounds(self, asked: Callable[[], bool]) -> Iterator[list[Row]]:
        """The rows of one round after the other, until somebody asks to stop."""
        for number in range(self.sweep.loops):
            rows = self._round(number)
            yield rows
            if all(row.status.startswith("over-limit") for row in rows):
                continue  # nothing was sent, so there is nothing to wait for
            until = time.monotonic() + self.sweep.interval_s
            while not asked() and (left := until - time.monotonic()) > 0:
                time.sleep(min(left, 0.1))
            if asked():
                return

    def _round(self, number: int) -> list[Row]:
        """Send, train, receive, average, evaluate."""
        try:
            began = time.perf_counter()
            self.carrier.announce(self.arrays)
            t_put = time.perf_counter() - began
            sent = [self._send(i, number) for i in range(len(self.sweep.endpoints.workers))]
            total, facts = Sum(), []
            for i, one in enumerate(sent):
                facts.append(self._received(i, one, total, t_put))
        finally:
            self.carrier.clear()
        began = time.perf_counter()
        if total.samples:
            self.arrays = total.mean()
        shared = {"t_agg": time.perf_counter() - began} | self._scores(total)
        return [self._row(number, i, one, fact, shared) for i, (one, fact) in enumerate(zip(sent, facts, strict=True))]

    def _send(self, endpoint: int, number: int) -> Sent:
        """Submit a task, unless its message is too large for the service."""
        task = self.carrier.load(self.sweep.task(endpoint, number, self.trial, self.text))
        sent = Sent(message_size(task), refused=too_large(task, self.carrier.limit))
        if sent.refused is None:
            sent.began = time.perf_counter()
            try:
                sent.future = self.sites.submit(endpoint, work_there, task)
                sent.future.add_done_callback(sent.arrived)
            except HoraeError:
                raise
            except Exception as error:
                sent.refused = Failure("lost", one_line(f"{type(error).__name__}: {error}", ROOM))
        return sent

    def _received(self, endpoint: int, sent: Sent, total: Sum, t_put: float) -> dict[str, Any]:
        """Add an endpoint's update to the sum, and say what it took; or say why there is none."""
        reply = self._result(endpoint, sent)
        if isinstance(reply, Failure):
            return {"status": str(reply), "t_put": t_put, "size": reply.size}
        began = time.perf_counter()
        try:
            arrays = self.carrier.receive(reply)
            t_get_update = time.perf_counter() - began
            total.add(arrays, reply.samples, self.arrays)
        except Exception as error:  # a store that is gone, bytes that are broken
            return {"status": f"failed: {one_line(f'{type(error).__name__}: {error}', ROOM)}", "t_put": t_put}
        legs = {
            "t_put": t_put, "t_queue": max(0.0, sent.done - sent.began - reply.t_busy), "t_get": reply.t_get,
            "t_put_update": reply.t_put, "t_get_update": t_get_update,
        }  # fmt: skip
        scores = {"train_accuracy": reply.accuracy, "train_loss": reply.loss, "t_train": reply.t_train}
        return {"status": OK, "transfer_time": sum(legs.values())} | legs | scores

    def _result(self, endpoint: int, sent: Sent) -> Reply | Failure:
        """What an endpoint answered. One that was lost, or took too long, gets a fresh executor."""
        if sent.future is None:
            return sent.refused or Failure("lost", "not submitted")
        try:
            answer = sent.future.result(max(0.0, sent.began + self.sweep.timeout_s - time.perf_counter()))
        except TimeoutError:
            self.sites.renew(endpoint, broken=False)
            return Failure("timeout", f"no answer after {self.sweep.timeout_s:g} s")
        except BrokenExecutor as error:
            self.sites.renew(endpoint, broken=True)
            return Failure("lost", one_line(error, ROOM))
        except Exception as error:
            return Failure("failed", one_line(f"{type(error).__name__}: {error}", ROOM))
        if not isinstance(answer, Reply | Failure):
            return Failure("failed", f"the answer is a {type(answer).__name__}")
        return answer

    def _scores(self, total: Sum) -> dict[str, float]:
        """The model's loss and accuracy on the images it is tested on; none where nothing came."""
        if not total.samples:
            return {"test_loss": nan, "test_accuracy": nan}
        images = self.sweep.images()
        network.set_weights(self.net, self.arrays)
        with one_thread():
            loss, accuracy = network.evaluate(self.net, *images.at(images.test))
        return {"test_loss": loss, "test_accuracy": accuracy}

    def _row(self, number: int, endpoint: int, sent: Sent, fact: dict[str, Any], shared: dict[str, float]) -> Row:
        none = {"transfer_time": nan, "train_accuracy": nan, "train_loss": nan}
        size = fact.pop("size", 0) or sent.size
        sizes = {
            "data_transfer_size": size, "model_param_size": self.param_size,
            "model_arch_size": encoded(len(self.text)),
        }  # fmt: skip
        same = {
            "round": number, "endpoint_name": self.sweep.endpoints.workers[endpoint].name,
            "local": self.sweep.endpoints.local, "num_hidden_blocks": self.blocks, "store": self.carrier.name,
            "time_taken_for_process": nan, "trial": self.trial, "connector": self.connector, "executor": self.executor,
        }  # fmt: skip
        return Row(**(none | sizes | same | fact | shared))
