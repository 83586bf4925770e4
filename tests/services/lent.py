"""Executors that outlive a run: `[site] executor = "lent:pool"` or `"lent:htex"`, each started once for all tests.

What a run breaks, the next run finds broken. Every task begins with a nap, in which a test can break something.
"""

import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

NAP_S = 0.5
_STARTED, _FOLDERS = {}, []


def after_a_nap(fn, *args, **kwargs):
    time.sleep(NAP_S)
    return fn(*args, **kwargs)


class Lent(Executor):
    """Another executor, which a run can use and cannot end."""

    def __init__(self, name):
        if name not in _STARTED:
            _STARTED[name] = START[name]()
        self.inner = _STARTED[name]

    def submit(self, fn, /, *args, **kwargs):
        return self.inner.submit(after_a_nap, fn, *args, **kwargs)

    def shutdown(self, wait=True, *, cancel_futures=False):
        pass


def _pool():
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


def _folder():
    _FOLDERS.append(tempfile.mkdtemp(prefix="horae-lent-"))
    return _FOLDERS[-1]


def _htex():
    import parsl
    from parsl.concurrent import ParslPoolExecutor
    from parsl.executors import HighThroughputExecutor

    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # Parsl's programs
    near = HighThroughputExecutor(
        label="lent", address="127.0.0.1", max_workers_per_node=2, cores_per_worker=0.1, encrypted=False,
        heartbeat_period=2, heartbeat_threshold=10,
    )  # fmt: skip
    folder = _folder()
    return ParslPoolExecutor(parsl.Config(executors=[near], run_dir=folder, strategy="none", initialize_logging=False))


START = {"pool": _pool, "htex": _htex}


def pool(workers):
    return Lent("pool")


def htex(workers):
    return Lent("htex")


def end():
    """After the last test."""
    while _STARTED:
        _STARTED.popitem()[1].shutdown()
    while _FOLDERS:
        shutil.rmtree(_FOLDERS.pop(), ignore_errors=True)
