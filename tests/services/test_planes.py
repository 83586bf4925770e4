"""The planes over real stores, with workers in processes of their own: `make test-services`."""

import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import horae
from horae.data_planes import ProxyStore, Shm, attach
from horae.errors import ConfigError, PlaneError
from horae.types import ROOT

sys.path.insert(0, str(Path(__file__).parent))

from conftest import free_port, redis_server
from tasks import double, total

pytestmark = pytest.mark.services
MODEL = {"params": np.arange(250_000, dtype=np.float32), "mask": np.arange(9) % 2 == 0}
KINDS = ("file", "redis", "zmq", "endpoint")


@pytest.fixture(params=KINDS)
def plane(request, tmp_path):
    pytest.importorskip("proxystore")
    made = {
        "file": lambda: ProxyStore("file", directory=str(tmp_path)),
        "redis": lambda: ProxyStore("redis", port=request.getfixturevalue("redis_port")),
        "zmq": lambda: ProxyStore("zmq", port=free_port()),
        "endpoint": lambda: endpoint_plane(request.getfixturevalue("endpoints")),
    }[request.param]()
    yield made
    made.close()


def endpoint_plane(endpoints):
    ids, home, _ = endpoints
    return ProxyStore("endpoint", endpoints=ids, home=str(home), timeout_s=60.0)


@pytest.fixture
def pool():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as made:
        yield made


def failed(act, *args, **named):
    with pytest.raises(PlaneError) as refused:
        act(*args, **named)
    return refused.value.kind


def test_workers_read_one_model_and_their_updates_come_back(plane, pool):
    model = plane.put(MODEL, ROOT)
    keys = [plane.reserve(ROOT, f"update-{i}") for i in range(4)]
    refs = list(pool.map(double, [model] * 4, keys))
    assert plane.keys() == sorted([model.key, *keys])
    assert plane.stats()["puts"] == 1
    for ref in refs:
        np.testing.assert_array_equal(plane.get(ref)["params"], 2 * MODEL["params"])
        assert plane.get(ref)["mask"].dtype == (2 * MODEL["mask"]).dtype
        plane.evict(ref)
    plane.evict(model)
    assert plane.keys() == []


def test_an_evicted_model_is_an_error_value_and_the_pool_lives(plane, pool):
    model, key = plane.put(MODEL, ROOT), plane.reserve(ROOT, "update")
    plane.evict(model)
    assert pool.submit(double, model, key).result(60).kind == "missing"
    again = plane.put(MODEL, ROOT)
    assert pool.submit(double, again, key).result(60).key == key


def test_a_worker_killed_after_its_put_leaves_nothing(plane, pool):
    model, key = plane.put(MODEL, ROOT), plane.reserve(ROOT, "update")
    with pytest.raises(BrokenProcessPool):
        pool.submit(double, model, key, True).result(60)
    assert plane.keys() == sorted([model.key, key])
    plane.evict(key)
    plane.evict(model)
    assert plane.keys() == []


def test_bytes_that_changed_are_corrupt(plane):
    ref = plane.put(MODEL, ROOT)
    assert failed(plane.get, replace(ref, checksum=ref.checksum ^ 1)) == "corrupt"


def test_accuracy_is_the_same_as_inline(plane, tmp_path):
    table = {"participants": 6, "baseline": "none", "budget": {"participations": 30}}
    people = {"population": {"name": "digits-rotated", "clients": 20}}
    first = horae.run({**table, **people}, out=tmp_path / "inline")
    other = horae.run({**table, **people}, data_plane=plane, out=tmp_path / "other")
    assert other.accuracy == first.accuracy
    assert all((other.models[path] == model).all() for path, model in first.models.items())


def test_redis_killed_in_the_middle_is_an_error_in_time():
    pytest.importorskip("proxystore")
    with redis_server() as (port, process):
        plane = ProxyStore("redis", port=port, timeout_s=5.0)
        ref = plane.put(MODEL, ROOT)
        process.kill()
        process.wait()
        started = time.monotonic()
        assert failed(plane.get, ref, timeout_s=5.0) in ("unreachable", "timeout")
        assert failed(plane.put, MODEL, ROOT) in ("unreachable", "timeout")
        plane.close()
        assert time.monotonic() - started < 30


def test_redis_without_memory_is_full_and_the_plane_goes_on():
    pytest.importorskip("proxystore")
    with redis_server("--maxmemory", "3mb") as (port, _):
        plane = ProxyStore("redis", port=port)
        kept = plane.put({"w": np.ones(3)}, ROOT)
        with pytest.raises(PlaneError) as refused:
            for _ in range(5):
                plane.put(MODEL, ROOT)
        assert refused.value.kind == "full"
        assert plane.get(kept)["w"].sum() == 3
        plane.close()


def test_two_runs_at_one_redis_do_not_see_each_other(redis_port):
    one, other = (ProxyStore("redis", port=redis_port) for _ in range(2))
    kept = one.put(MODEL, ROOT)
    other.put(MODEL, ROOT)
    other.close()
    assert one.keys() == [kept.key]
    one.close()


def test_a_zeromq_server_that_is_killed_does_not_hang():
    pytest.importorskip("proxystore_ex")
    plane = ProxyStore("zmq", port=free_port(), timeout_s=3.0)
    ref = plane.put(MODEL, ROOT)
    (server,) = multiprocessing.active_children()
    worker = attach(plane.address)
    server.kill()
    server.join()
    started = time.monotonic()
    assert failed(plane.get, ref, timeout_s=2.0) == "timeout"
    assert failed(worker.get, ref, timeout_s=2.0) == "timeout"  # and no worker starts a server of its own
    assert time.monotonic() - started < 20
    plane.close()
    assert multiprocessing.active_children() == []


def test_a_store_directory_that_is_removed_is_an_error(tmp_path):
    pytest.importorskip("proxystore")
    plane = ProxyStore("file", directory=str(tmp_path))
    ref = plane.put(MODEL, ROOT)
    home = Path(json.loads(ref.address.removeprefix("proxystore:"))["directory"])
    for file in home.iterdir():
        file.unlink()
    home.rmdir()
    assert failed(plane.get, ref) == "missing"
    assert failed(plane.put, MODEL, ROOT) == "unreachable"
    plane.close()


def test_an_endpoint_reads_from_another(endpoints):
    _, _, alone = endpoints
    plane = endpoint_plane(endpoints)
    ref = plane.put({"w": np.arange(1000.0)}, ROOT)
    table = json.loads(plane.address.removeprefix("proxystore:"))
    far = attach("proxystore:" + json.dumps({**table, "home": str(alone)}))
    np.testing.assert_array_equal(far.get(ref)["w"], np.arange(1000.0))
    key = plane.reserve(ROOT, "update")
    back = far.put_as(key, {"w": np.ones(5)})
    assert plane.get(back)["w"].sum() == 5
    far.close()
    plane.close()


def test_nobody_there_is_one_line_in_time():
    pytest.importorskip("proxystore")
    started = time.monotonic()
    for settings in (
        {"connector": "redis", "port": free_port()},
        {"connector": "endpoint", "endpoints": ("7f0b2b0e-0f5b-4b8e-9a51-2f4f0f9b0b7e",), "home": "/nonexistent-home"},
    ):
        with pytest.raises(ConfigError, match="is it running"):
            ProxyStore(**settings, timeout_s=8.0).put(MODEL, ROOT)
    assert time.monotonic() - started < 30


@pytest.fixture
def parsl_pool(tmp_path, monkeypatch):
    parsl = pytest.importorskip("parsl")
    from parsl.concurrent import ParslPoolExecutor
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)  # Parsl's own programs
    provider = LocalProvider(init_blocks=1, max_blocks=1)
    near = HighThroughputExecutor(
        label="near", address="127.0.0.1", max_workers_per_node=2, provider=provider, encrypted=False
    )
    config = parsl.Config(executors=[near], run_dir=str(tmp_path / "parsl"), strategy="none")
    with ParslPoolExecutor(config) as made:
        yield made


def test_parsl_carries_names_and_survives_a_missing_object(parsl_pool):
    plane = Shm()
    model = plane.put(MODEL, ROOT)
    keys = [plane.reserve(ROOT, "update") for _ in range(4)]
    assert parsl_pool.submit(total, model).result(120) == 250_000 * 249_999 / 2 + 5
    refs = [job.result(60) for job in [parsl_pool.submit(double, model, key) for key in keys]]
    assert [ref.key for ref in refs] == keys
    lost = replace(model, key="root-model-99", checksum=1)
    assert parsl_pool.submit(double, lost, keys[0]).result(60).kind == "missing"
    with pytest.raises(PlaneError):  # even one that is raised does not break it
        parsl_pool.submit(total, lost).result(60)
    assert parsl_pool.submit(total, model).result(60) > 0
    plane.close()
