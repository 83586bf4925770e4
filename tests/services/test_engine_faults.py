"""Stores and workers that die under a run: it ends or goes on in time, says which clients failed, and breaks nothing.

Each fault is made over two executors that outlive the run (`lent.py`): a process pool and Parsl's.
"""

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from horae.data_planes import attach
from horae.data_planes.shared import Shared

sys.path.insert(0, str(Path(__file__).parent))

import lent
from conftest import BIN, free_port, redis_server, running
from harm import Running, assert_named, assert_usable, wait_until

pytestmark = pytest.mark.services
pytest.importorskip("proxystore")

EXECUTORS = ["lent:pool", "lent:htex"]


@pytest.fixture(scope="module", autouse=True)
def _ended():
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), before]))
    yield
    lent.end()
    os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


@pytest.fixture(params=EXECUTORS)
def executor(request, tmp_path):
    """An executor whose workers have the population already: a first run has been made on it."""
    if request.param == "lent:htex":
        pytest.importorskip("parsl")
    first = Running(tmp_path / "first", request.param, {"name": "shm"}, rounds=2, timeout_s=300.0)
    assert first.ended(300) is None
    return request.param


def test_redis_killed(executor, tmp_path):
    plane = {"name": "proxystore", "connector": "redis", "timeout_s": 3.0}
    with redis_server() as (port, process):
        run = Running(tmp_path / "run", executor, {**plane, "port": port})
        run.under_way()
        process.kill()
        process.wait()
        error = run.ended()
        assert "data plane" in str(error) or "unreachable" in str(error), error
        assert_named(run, "unreachable", "timeout")
    with redis_server() as (port, _):
        assert_usable(tmp_path, executor, {**plane, "port": port})
        assert objects_of(port) == []


def objects_of(port):
    import redis

    with redis.StrictRedis(port=port) as client:
        return client.keys("*")


def test_store_directory_removed(executor, tmp_path):
    place = tmp_path / "store"
    place.mkdir()
    plane = {"name": "proxystore", "connector": "file", "directory": str(place), "timeout_s": 3.0}
    run = Running(tmp_path / "run", executor, plane)
    run.under_way()
    shutil.rmtree(place)
    run.ended()
    assert_named(run, "unreachable", "missing")
    place.mkdir(exist_ok=True)
    assert_usable(tmp_path, executor, plane)
    assert list(place.iterdir()) == []


def test_model_evicted_in_the_middle_of_a_round(executor, tmp_path):
    import redis

    with redis_server() as (port, _), redis.StrictRedis(port=port) as client:
        plane = {"name": "proxystore", "connector": "redis", "port": port, "timeout_s": 3.0}
        run = Running(tmp_path / "run", executor, plane, rounds=8)
        run.under_way()

        def evicted():
            for key in client.keys("*model*"):
                client.delete(key)
            return run.events("failure") or not run.is_alive()

        wait_until(evicted)
        assert run.ended() is None  # the next rounds have models of their own
        assert_named(run, "missing")
        assert len(run.events("round")) >= 8 and objects_of(port) == []
        assert_usable(tmp_path, executor, plane)
        assert objects_of(port) == []


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """(A plane over one endpoint, the endpoint's process.)"""
    home, relay, port = tmp_path_factory.mktemp("asleep"), free_port(), free_port()
    env = {**os.environ, "PROXYSTORE_HOME": str(home)}
    with running([BIN / "proxystore-relay", "--host", "127.0.0.1", "--port", relay], relay, cwd=home):
        at = ["--host", "127.0.0.1", "--port", str(port), "--relay-address", f"ws://127.0.0.1:{relay}"]
        command = [BIN / "proxystore-endpoint", "configure", "sleeper", *at, "--no-relay-auth"]
        subprocess.run(command, env=env, check=True, capture_output=True)
        config = home / "sleeper" / "config.toml"
        (name,) = re.findall(r'^uuid = "(.+)"', config.read_text(), re.M)
        config.write_text(re.sub(r"^ice_servers.*$", "ice_servers = []", config.read_text(), flags=re.M))
        with running([BIN / "proxystore-endpoint", "start", "sleeper", "--no-detach"], port, env=env) as process:
            try:
                yield {"name": "proxystore", "connector": "endpoint", "endpoints": [name], "home": str(home)}, process
            finally:
                process.send_signal(signal.SIGCONT)


@pytest.fixture
def reserved(monkeypatch):
    """Every key that a controller of this process gives, by its plane."""
    given, reserve = {}, Shared.reserve

    def noted(self, *args, **named):
        key = reserve(self, *args, **named)
        given.setdefault(self.address, []).append(key)
        return key

    monkeypatch.setattr(Shared, "reserve", noted)
    return given


def left(reserved):
    """The objects that are still at the endpoint, of all that were ever named."""
    return [name for address, keys in reserved.items() for name in attach(address)._depot().names(keys)]


def test_endpoint_asleep_for_good(executor, endpoint, tmp_path):
    plane, process = endpoint
    plane = {**plane, "timeout_s": 3.0}
    run = Running(tmp_path / "run", executor, plane, timeout_s=6.0)
    run.under_way()
    process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    error = run.ended()
    assert time.monotonic() - began < 30
    assert "timeout" in str(error), error
    assert_named(run, "timeout", "timed out")
    process.send_signal(signal.SIGCONT)
    assert_usable(tmp_path, executor, plane)


def test_endpoint_asleep_for_a_while(executor, endpoint, reserved, tmp_path):
    """For less than `data_plane.timeout_s`: everybody waits, and nobody fails."""
    plane, process = endpoint
    plane = {**plane, "timeout_s": 30.0}
    run = Running(tmp_path / "run", executor, plane, rounds=6, timeout_s=60.0)
    run.under_way()
    process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    process.send_signal(signal.SIGCONT)
    assert run.ended(120) is None
    assert len(run.events("round")) == 6 and not run.events("failure")
    assert len(reserved) == 1 and left(reserved) == []


def somebody(name):
    """The process id of one who trains."""
    if name != "process":
        return lent.htex(2).inner.submit(os.getpid).result(60)
    return multiprocessing.active_children()[-1].pid  # lent:pool's workers are older


@pytest.mark.parametrize("name", ["process", "lent:htex"])
def test_worker_killed(name, tmp_path):
    """The pool's workers all end with one of them, and horae starts others; Parsl starts another one itself."""
    place = tmp_path / "store"
    plane = {"name": "proxystore", "connector": "file", "directory": str(place), "timeout_s": 3.0}
    victim = somebody(name) if name != "process" else None
    run = Running(tmp_path / "run", name, plane, rounds=8, timeout_s=300.0)
    run.under_way()
    os.kill(victim or somebody(name), signal.SIGKILL)
    assert run.ended(120) is None
    assert len(run.events("round")) >= 8
    if failures := run.events("failure"):  # tried twice: whom the worker's loss hit may have been lucky
        assert_named(run, "worker lost", "WorkerLost")
        assert len(failures) <= 2
    assert list(place.iterdir()) == []
    assert_usable(tmp_path, name, plane, timeout_s=300.0)
    assert list(place.iterdir()) == []
