"""How models travel: python -m benchmarks.data_plane (a quarter of an hour; `--page` only writes the page again).

One model goes to ten tasks (broadcast); or ten updates of its size also come back and are added up (round trip). Two
workers in processes of their own. Every repetition goes through all carriers, each time another one first; a ratio is
that of one repetition, plain over carrier. What is not installed is left out, and the page says so: Redis needs
redis-server, ZeroMQ proxystore-ex, Parsl parsl. A carrier that takes longer than 40 s is measured once.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data_plane_tasks as tasks
from benchmarks.data_plane_page import draw, page
from benchmarks.train.machine import machine
from horae.data_planes import ProxyStore, Shm
from horae.types import Arrays, DataPlane

RESULTS = Path(__file__).parent / "results"
SIZES, CLIENTS, WORKERS, TURNS, TOO_LONG_S = (1, 10, 100), 10, 2, {1: 7, 10: 5, 100: 3}, 40.0
PARSL = ("plain", "shm", "shm anew")


def model_of(megabytes: int) -> Arrays:
    """Twenty arrays."""
    rng, each = np.random.default_rng(0), megabytes * 10**6 // 80
    return {f"layer{i}": rng.random(each, dtype=np.float32) for i in range(20)}


def mean(updates: Iterator[Arrays]) -> Arrays:
    """The running mean: one update at a time."""
    total: Arrays = {}
    for update in updates:
        for name, array in update.items():
            total[name] = total[name] + array if name in total else np.array(array)
    return {name: array / np.float32(CLIENTS) for name, array in total.items()}


def plainly(pool: Executor, model: Arrays, back: bool) -> None:
    """The model goes with every task, the update with every answer."""
    if not back:
        for job in [pool.submit(tasks.look, model) for _ in range(CLIENTS)]:
            job.result()
        return
    jobs = [pool.submit(tasks.train, model, "") for _ in range(CLIENTS)]
    check(mean(job.result() for job in jobs), model)


def by_name(plane: DataPlane, act: Callable[..., float], pool: Executor, model: Arrays, back: bool) -> None:
    """The model is put once; names go with tasks and answers; what was read is evicted."""
    ref = plane.put(model, ())
    if back:
        keys = [plane.reserve((), "update") for _ in range(CLIENTS)]
        jobs = [pool.submit(tasks.train_by_name, ref, key) for key in keys]

        def updates() -> Iterator[Arrays]:
            for job in jobs:
                name = job.result()
                yield plane.get(name)
                plane.evict(name)

        check(mean(updates()), model)
    else:
        for job in [pool.submit(act, ref) for _ in range(CLIENTS)]:
            job.result()
    plane.evict(ref)
    assert plane.keys() == []


def check(result: Arrays, model: Arrays) -> None:
    """The mean of updates of one each is the model and one."""
    assert all(np.allclose(result[name][:9], array[:9] + 1) for name, array in model.items())


def carriers(stack: ExitStack) -> dict[str, Callable[[Executor, Arrays, bool], None]]:
    """Everything that can be measured here, by name."""
    shm = Shm()
    planes: dict[str, DataPlane] = {"shm": shm}
    if importlib.util.find_spec("proxystore"):
        place = stack.enter_context(tempfile.TemporaryDirectory(dir=Path.home()))
        planes["file (disk)"] = ProxyStore("file", directory=place)
        if importlib.util.find_spec("redis") and shutil.which("redis-server"):
            planes["Redis"] = ProxyStore("redis", port=stack.enter_context(redis_server()), timeout_s=600)
        if importlib.util.find_spec("proxystore_ex") and importlib.util.find_spec("zmq"):
            planes["ZeroMQ"] = ProxyStore("zmq", port=free_port(), timeout_s=600)
    for plane in planes.values():
        stack.callback(plane.close)
    found: dict[str, Any] = {"plain": plainly, "shm anew": _carrier(shm, tasks.look_anew)}
    return found | {name: _carrier(plane, tasks.look_by_name) for name, plane in planes.items()}


def _carrier(plane: DataPlane, act: Callable[..., float]) -> Callable[[Executor, Arrays, bool], None]:
    return lambda pool, model, back: by_name(plane, act, pool, model, back)


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def redis_server() -> Iterator[int]:
    """A Redis of its own on loopback."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd="/tmp")
    try:
        time.sleep(1.0)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def process_pool() -> Iterator[Executor]:
    """The standard library's."""
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@contextmanager
def parsl_pool() -> Iterator[Executor]:
    """Parsl's HighThroughputExecutor on this machine."""
    import parsl
    from parsl.concurrent import ParslPoolExecutor
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as place:
        near = HighThroughputExecutor(
            label="near", address="127.0.0.1", max_workers_per_node=WORKERS, encrypted=False,
            provider=LocalProvider(init_blocks=1, max_blocks=1),
        )  # fmt: skip
        with ParslPoolExecutor(parsl.Config(executors=[near], run_dir=place, strategy="none")) as pool:
            yield pool


def measure(file: Path) -> None:
    """All of it, written as it comes."""
    found: dict[str, Any] = {"machine": machine(), "clients": CLIENTS, "workers": WORKERS, "rows": []}
    pools = {"process pool": process_pool} | ({"Parsl": parsl_pool} if importlib.util.find_spec("parsl") else {})
    for where, opened in pools.items():
        with ExitStack() as stack, opened() as pool:
            ways = carriers(stack)
            ways = {name: way for name, way in ways.items() if where != "Parsl" or name in PARSL}
            for _ in range(2):
                for way in ways.values():
                    way(pool, model_of(1), True)  # everybody has started and imported
            for megabytes in SIZES:
                for back in (False, True):
                    found["rows"] += _rows(ways, pool, megabytes, back, where)
                    file.write_text(json.dumps(found, indent=1) + "\n")


def _rows(
    ways: dict[str, Callable[[Executor, Arrays, bool], None]], pool: Executor, megabytes: int, back: bool, where: str
) -> list[dict[str, Any]]:
    """One line of the table: all carriers in turns."""
    model, names = model_of(megabytes), [name for name in ways if not (back and name == "shm anew")]
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(TURNS[megabytes]):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            if turn and seconds[name][0] > TOO_LONG_S:
                continue
            started = time.perf_counter()
            ways[name](pool, model, back)
            seconds[name].append(time.perf_counter() - started)
    load = os.getloadavg()[0]
    print(where, megabytes, back, {name: [round(s, 3) for s in row] for name, row in seconds.items()}, flush=True)
    about = {"executor": where, "megabytes": megabytes, "back": back, "load": load}
    return [{**about, "carrier": name, "seconds": row} for name, row in seconds.items()]


def main() -> None:
    """Measure, write the page and the picture."""
    file = RESULTS / "data_plane.json"
    if sys.argv[1:] != ["--page"]:
        measure(file)
    found = json.loads(file.read_text())
    (RESULTS / "data_plane.md").write_text("\n".join(page(found)) + "\n")
    draw(found, RESULTS / "data_plane.png")


if __name__ == "__main__":
    main()
