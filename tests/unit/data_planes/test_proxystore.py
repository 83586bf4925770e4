"""Connectors that fail, hang or lie, in one process: whatever they do becomes one PlaneError, in time."""

import json
import pickle
import threading
import time

import numpy as np
import pytest

from horae.data_planes import DATA_PLANES, Inline, ProxyStore, attach, connectors, reachable
from horae.data_planes.connectors import Kind, Link
from horae.errors import ConfigError, PlaneError
from horae.experiment import load
from horae.types import ROOT, Ref

MODEL = {"params": np.arange(6, dtype=np.float32)}


class Shelf:
    """A connector that keeps things in a dictionary, and does something bad when it is told to."""

    def __init__(self):
        self.held, self.bad = {}, None

    def do(self):
        if isinstance(self.bad, Exception):
            raise self.bad
        if self.bad:
            self.bad.wait(30)

    def set(self, key, data):
        self.do()
        self.held[key] = data

    def get(self, key):
        self.do()
        return self.held.get(key)

    def evict(self, key):
        self.do()
        self.held.pop(key, None)


@pytest.fixture
def shelf(monkeypatch):
    made = Shelf()
    made.opened = []

    def link(where, owner, timeout_s):
        made.do()
        made.opened.append(owner)

        def key(name, nbytes):
            return f"{where.run}:{name}"

        return Link(made, key, lambda known: [n for n in known if key(n, 0) in made.held], lambda owner: None)

    monkeypatch.setitem(connectors.CONNECTORS, "redis", Kind(link, 6379))
    return made


@pytest.fixture
def plane(shelf):
    made = ProxyStore("redis", timeout_s=0.3)
    yield made
    shelf.bad = None
    made.close()
    assert shelf.held == {}


def failed(act, *args, **named):
    with pytest.raises(PlaneError) as refused:
        act(*args, **named)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
    assert "\n" not in str(refused.value)
    return refused.value.kind


def test_a_worker_reads_what_lies_there_once(plane, shelf):
    ref = plane.put(MODEL, ROOT)
    worker = attach(plane.address)
    shelf.bad = None
    np.testing.assert_array_equal(worker.get(ref)["params"], MODEL["params"])
    shelf.bad = ConnectionError("gone")
    assert worker.get(ref)["params"] is worker.get(ref)["params"]
    assert shelf.opened == [True, False]
    assert json.loads(ref.address.removeprefix("proxystore:"))["port"] == 6379


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (ConnectionError("refused\nby all"), "unreachable"),
        (TimeoutError("slow"), "timeout"),
        (type("OutOfMemoryError", (Exception,), {})("maxmemory"), "full"),
        (RuntimeError("Put failed with error code 413"), "full"),
    ],
)
def test_whatever_a_connector_raises_is_one_error_that_can_be_pickled(plane, shelf, bad, kind):
    ref = plane.put(MODEL, ROOT)
    shelf.bad = bad
    assert failed(plane.get, ref) == failed(plane.put, MODEL, ROOT) == kind
    shelf.bad = None
    np.testing.assert_array_equal(plane.get(ref)["params"], MODEL["params"])  # it connects anew


def test_a_connector_that_hangs_is_left_behind_in_time(plane, shelf):
    ref = plane.put(MODEL, ROOT)
    shelf.bad = threading.Event()
    started = time.monotonic()
    assert failed(plane.get, ref, timeout_s=0.1) == failed(plane.put, MODEL, ROOT) == "timeout"
    assert time.monotonic() - started < 5
    shelf.bad.set()
    assert failed(plane.get, Ref("x-1", 1)) == "missing"


def test_bytes_that_are_not_ours_are_corrupt(plane, shelf):
    ref = plane.put(MODEL, ROOT)
    (key,) = shelf.held
    shelf.held[key] = shelf.held[key][:-1] + b"?"
    assert failed(plane.get, ref) == "corrupt"
    assert failed(plane.get, Ref(ref.key, 24, 0, "pickle")) == "corrupt"


def test_a_store_that_is_down_when_the_run_begins_or_ends_is_no_traceback(shelf):
    shelf.bad = ConnectionError("nobody listens")
    with pytest.raises(ConfigError, match="redis: ConnectionError: nobody listens; is it running"):
        ProxyStore("redis").put(MODEL, ROOT)
    shelf.bad = None
    plane = ProxyStore("redis")
    plane.put(MODEL, ROOT)
    shelf.bad = ConnectionError("gone")
    plane.close()


def test_late_puts_are_swept_where_a_store_cannot_be_listed(plane, shelf):
    key = plane.reserve(ROOT, "update")
    plane.evict(key)
    attach(plane.address).put_as(key, MODEL)
    assert plane.sweep() == 1
    assert shelf.held == {}


def test_a_store_that_is_gone_is_waited_for_once_and_evicts_when_it_is_back(shelf):
    plane = ProxyStore("redis", timeout_s=0.3)
    refs = [plane.put(MODEL, ROOT) for _ in range(5)]
    shelf.bad = threading.Event()
    began = time.monotonic()
    for ref in refs[:4]:
        plane.evict(ref)
    assert time.monotonic() - began < 1.0 and len(shelf.held) == 5
    shelf.bad.set()
    shelf.bad = None
    time.sleep(0.1)
    shelf.held.update({f"{name}": b"" for name in [*shelf.held]})  # whatever the thread left behind has done
    kept = plane.put(MODEL, ROOT)
    assert plane.keys() == sorted([refs[4].key, kept.key])
    plane.close()
    assert shelf.held == {}


def test_what_was_evicted_from_a_store_that_was_gone_goes_when_the_run_ends(shelf):
    plane = ProxyStore("redis")
    ref = plane.put(MODEL, ROOT)
    shelf.bad = ConnectionError("gone")
    plane.evict(ref)
    plane.evict(ref)
    shelf.bad = None
    assert len(shelf.held) == 1
    plane.close()
    assert shelf.held == {}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"port": 70000}, "data_plane.port"),
        ({"timeout_s": 0}, "data_plane.timeout_s"),
        ({"connector": "endpoint"}, "data_plane.endpoints"),
        ({"connector": "ftp"}, "be one of 'file', 'redis', 'zmq', 'endpoint'"),
        ({"conector": "file"}, "did you mean 'connector'"),
    ],
)
def test_mistakes_in_the_experiment_are_one_line(fields, why):
    with pytest.raises(ConfigError, match=why):
        load({"data_plane": {"name": "proxystore", **fields}})


def test_an_address_of_something_else_is_refused():
    for address in ("proxystore:", "proxystore:[]", 'proxystore:{"endpoints": []}'):
        assert failed(attach(address).keys) == "unreachable"


def test_a_plane_for_workers_is_told_from_one_that_is_not():
    class Copies:
        def put(self, arrays, owner):
            return None

    with pytest.raises(ConfigError, match=r'reachable by workers.*data_plane.name = "shm"'):
        reachable(Copies())
    for cls in DATA_PLANES.values():
        reachable(cls)
    inline = Inline()
    assert attach(inline.address) is inline
