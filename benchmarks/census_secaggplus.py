"""Flower's SecAgg+ under the same measure: FLOWER/bin/python benchmarks/census_secaggplus.py (minutes, niced).

To be run with the Python of an environment of its own that has `flwr`, since Flower pins what horae needs otherwise.
Its workflow and its client's part run as they are, in one process; between them every message becomes Flower's own
bytes and is read again. What is counted is a message's content, without Flower's envelope. Milliseconds are
processor time in a client's part, all threads, its bytes' reading and writing left out. No client drops out.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from flwr.client.mod import secaggplus_mod
from flwr.common import (
    Code,
    ConfigRecord,
    Context,
    FitIns,
    FitRes,
    Message,
    Parameters,
    RecordDict,
    Status,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)
from flwr.common.serde import message_from_proto, message_to_proto, recorddict_to_proto
from flwr.compat.common import recorddict_compat as compat
from flwr.server import LegacyContext
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD, Key
from flwr.supercore.task_identity import TaskIdentity

RESULTS = Path(__file__).parent / "results"
CLIENTS, LABELS, TURNS = (10, 30, 100), (10, 1000), 3  # beyond, its operator takes minutes a turn


class Proxy:
    """A client by its number."""

    def __init__(self, number: int) -> None:
        self.node_id = number


class Everybody:
    """A strategy that asks every client once, with no model, and keeps the sum."""

    def __init__(self, clients: int) -> None:
        self.clients = clients
        self.mean: np.ndarray | None = None

    def configure_fit(self, *_: Any) -> list[tuple[Proxy, FitIns]]:
        return [(Proxy(n + 1), FitIns(Parameters([], "numpy.ndarray"), {})) for n in range(self.clients)]

    def aggregate_fit(self, _: int, results: list[Any], failures: list[Any]) -> tuple[None, dict[str, Any]]:
        assert not failures
        self.mean = parameters_to_ndarrays(results[0][1].parameters)[0]
        return None, {}

    def num_available(self) -> int:
        return self.clients


class Wire:
    """Flower's grid: every message through bytes, every client's part timed."""

    def __init__(self, counts: dict[int, np.ndarray]) -> None:
        self.counts = counts
        self.contexts = {n: context(n) for n in counts}
        self.up, self.down, self.seconds = (dict.fromkeys(counts, 0.0) for _ in range(3))

    def send_and_receive(self, messages: Iterable[Message], **_: Any) -> list[Message]:
        return [self._ask(message) for message in messages]

    def _ask(self, message: Message) -> Message:
        client = message.metadata.dst_node_id
        self.down[client] += recorddict_to_proto(message.content).ByteSize()
        heard = message_from_proto(message_to_proto(message))

        def fit(asked: Message, _: Context) -> Message:
            result = FitRes(Status(Code.OK, ""), ndarrays_to_parameters([self.counts[client]]), 1, {})
            return Message(compat.fitres_to_recorddict(result, keep_input=False), reply_to=asked)

        started = time.process_time()
        reply = secaggplus_mod(heard, self.contexts[client], fit)
        self.seconds[client] += time.process_time() - started
        self.up[client] += recorddict_to_proto(reply.content).ByteSize()
        return message_from_proto(message_to_proto(reply))


def context(number: int) -> Context:
    """An empty context."""
    return Context(run_id=1, node_id=number, node_config={}, state=RecordDict(), run_config={})


def counted(clients: int, labels: int, turn: int) -> tuple[float, float, float, float]:
    """Bytes up and down and milliseconds for each client, and how far the sum is off."""
    draw = np.random.default_rng(turn)
    counts = {n + 1: draw.integers(0, 100, labels).astype(np.float32) for n in range(clients)}
    wire, everybody = Wire(counts), Everybody(clients)
    shares = 33 if clients > 33 else 1.0
    workflow = SecAggPlusWorkflow(shares, 0.66, max_weight=1.0, clipping_range=100.0)
    state = LegacyContext(context(0), strategy=everybody, client_manager=everybody)
    state.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({Key.CURRENT_ROUND: 1})
    state.state.array_records[MAIN_PARAMS_RECORD] = compat.parameters_to_arrayrecord(
        Parameters([], "numpy.ndarray"), keep_input=True
    )
    workflow(wire, state)
    off = np.abs(everybody.mean * clients - sum(counts.values())).max()
    means = (statistics.mean(table.values()) for table in (wire.up, wire.down, wire.seconds))
    up, down, seconds = means
    return up, down, 1000 * seconds, float(off)


def main() -> None:
    """Measure; the page is written by benchmarks/census.py --page."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 0, 1
    rows = []
    for labels in LABELS:
        for clients in CLIENTS:
            turns = [counted(clients, labels, turn) for turn in range(TURNS)]
            up, down, ms, off = zip(*turns, strict=True)
            row = {"clients": clients, "labels": labels, "up": up[0], "down": down[0], "client_ms": ms, "off": max(off)}
            rows.append(row)
            print(row, flush=True)
            found = {"flwr": version("flwr"), "python": sys.version.split()[0], "rows": rows}
            (RESULTS / "census_secaggplus.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
