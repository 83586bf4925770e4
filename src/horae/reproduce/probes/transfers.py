"""What it takes to hand models of several sizes to endpoints, in messages and by reference: ProxyFloxy's sweep."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from horae.errors import DataError, require
from horae.proxyfloxy.carriers import NO_STORE, STORE, ByReference, Carrier, InMessages
from horae.proxyfloxy.endpoints import Endpoint, Endpoints, read_endpoints
from horae.proxyfloxy.planes import CONNECTORS, connector_name, opened_plane
from horae.proxyfloxy.rounds import Sweep
from horae.proxyfloxy.samples import DATA
from horae.proxyfloxy.sites import executor_name, sites
from horae.proxyfloxy.sweep import Hooks, check, run_sweep
from horae.proxyfloxy.table import Row

NEEDED = {"parsl": "parsl", "ray": "ray", "globus": "globus_compute_sdk"}  # executor to module
WORDS = {NO_STORE: "in messages", STORE: "by reference"}
LIMIT = 10_485_760  # bytes of a message that Globus Compute takes


@dataclass(frozen=True)
class Transfers:
    """Rounds of averaging over a few endpoints, each depth once with the model in messages and once by reference.

    Arms: `in messages, N blocks` and `by reference, N blocks`, and without a number the mean over the depths that came
    both ways. Measures: transfer_s (mean over endpoints and rounds after the first), message_bytes (base64), came (the
    share of updates that came), accuracy (of the last model).

    endpoints: processes of this machine; file: endpoints with ids (`horae proxyfloxy --endpoints`), in place of these.
    The rest is as `horae proxyfloxy` has it.
    """

    blocks: tuple[int, ...] = (1, 10, 20, 30, 40, 50)
    endpoints: int = 4
    file: str = ""
    data: str = "digits"
    samples: int = 40
    epochs: int = 1
    loops: int = 3
    interval_s: float = 0.0
    executor: str = "process"
    connector: str = "shm"

    def __post_init__(self) -> None:
        require(1 <= self.endpoints <= 64, "probe.endpoints", "be in [1, 64]", self.endpoints)
        require(self.loops >= 2, "probe.loops", "be >= 2: the first round is not counted", self.loops)
        require(self.data in DATA, "probe.data", f"be one of {', '.join(DATA)}", self.data)
        require(self.connector in CONNECTORS, "probe.connector", f"be one of {', '.join(CONNECTORS)}", self.connector)
        blocks = sorted(set(self.blocks)) == list(self.blocks) and bool(self.blocks) and self.blocks[0] >= 1
        require(blocks, "probe.blocks", "be different numbers from 1 on, rising", list(self.blocks))

    def missing(self, data_root: Path | None) -> str:
        """An executor, a file of endpoints, or images."""
        module = NEEDED.get(self.executor, "")
        if module and find_spec(module) is None:
            return f"the executor {self.executor} is not installed; pip install {module.replace('_', '-')}"
        if self.file and not Path(self.file).is_file():
            return f"there is no {self.file}; write the endpoints' ids into it (docs/proxyfloxy.md)"
        try:
            self.plan(0, data_root).images()
        except DataError as error:
            return str(error)
        return ""

    def plan(self, seed: int, data_root: Path | None) -> Sweep:
        """What `horae proxyfloxy` would sweep. Errors: ConfigError, DataError."""
        who = read_endpoints(Path(self.file)) if self.file else here(self.endpoints)
        return Sweep(
            who, self.data, data_root, self.samples, self.epochs, self.loops, self.interval_s, self.blocks, 1, seed
        )

    def measure(self, seed: int, data_root: Path | None) -> dict[str, dict[str, float]]:
        """Both ways, one after the other; even seeds begin with messages, odd ones with references."""
        plan, rows = self.plan(seed, data_root), list[Row]()
        where, store = executor_name(self.executor, plan.endpoints), connector_name(self.connector, plan.endpoints)
        check(plan)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="horae-transfers-")))
            plane = opened_plane(store, plan.endpoints, folder / "plane" if store == "file" else None, "127.0.0.1", 0)
            stack.callback(plane.close)
            ways: list[tuple[Carrier, str]] = [(InMessages(LIMIT), ""), (ByReference(plane, LIMIT), store)]
            workers = stack.enter_context(sites(where, plan.endpoints))
            run_sweep(plan, ways[:: -1 if seed % 2 else 1], workers, where, folder / "rows.csv", Hooks(), rows)
        return told(rows)


def here(n: int) -> Endpoints:
    """So many endpoints of this machine."""
    return Endpoints(tuple(Endpoint(f"endpoint-{i + 1}") for i in range(n)))


def told(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """The numbers of every arm; what did not come has no time and no accuracy."""
    found: dict[str, dict[str, float]] = {}
    depths = sorted({row.num_hidden_blocks for row in rows})
    for store, words in WORDS.items():
        for blocks in depths:
            mine = [row for row in rows if (row.store, row.num_hidden_blocks) == (store, blocks)]
            if mine:
                found[f"{words}, {blocks} block{'s' * (blocks > 1)}"] = _arm(mine)
    whole = [d for d in depths if all(_came(rows, store, d) for store in WORDS)]
    for store, words in WORDS.items():
        both = [_mean_s([r for r in rows if (r.store, r.num_hidden_blocks) == (store, d)]) for d in whole]
        found[words] = {"transfer_s": sum(both) / len(both)} if both else {}
    return found


def _came(rows: Sequence[Row], store: str, blocks: int) -> bool:
    return all(row.ok for row in rows if (row.store, row.num_hidden_blocks) == (store, blocks))


def _arm(rows: Sequence[Row]) -> dict[str, float]:
    numbers = {
        "message_bytes": sum(row.data_transfer_size for row in rows) / len(rows),
        "came": sum(row.ok for row in rows) / len(rows),
    }
    last = [row for row in rows if row.ok and row.round == max(r.round for r in rows)]
    if all(row.ok for row in rows):
        numbers |= {"transfer_s": _mean_s(rows), "accuracy": last[0].test_accuracy}
    return numbers


def _mean_s(rows: Sequence[Row]) -> float:
    """Without the first round, in which workers and store meet."""
    later = [row.transfer_time for row in rows if row.round > 0]
    return sum(later) / len(later)
