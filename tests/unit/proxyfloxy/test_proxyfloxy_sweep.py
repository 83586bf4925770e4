"""The sweep over threads of this process: rows, legs, limits, the same models however they travel, nothing left."""

import csv
import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from horae.data_planes import DATA_PLANES
from horae.errors import ConfigError, PlaneError, RunError
from horae.proxyfloxy import Endpoint, Endpoints
from horae.proxyfloxy.carriers import ByReference, InMessages
from horae.proxyfloxy.rounds import Process, Sum, Sweep
from horae.proxyfloxy.sites import Sites, sites
from horae.proxyfloxy.sweep import Hooks, check, run_sweep
from horae.proxyfloxy.worker import Failure, work_there

FOUR = Endpoints(tuple(Endpoint(name) for name in "abcd"), Endpoint("controller"))
SMALL = Sweep(FOUR, samples=6, loops=2, interval_s=0, blocks=(1, 2))
PID = "/proc/self"  # a link to the number of whoever reads it
LEGS = ("t_put", "t_queue", "t_get", "t_put_update", "t_get_update")


def swept(plan, carriers, file, workers=None, hooks=None):
    rows = []
    with workers or sites("thread", plan.endpoints) as where:
        run_sweep(plan, [(c, c.name) for c in carriers], where, "thread", file, hooks or Hooks(), rows)
    return rows


def test_rows_and_the_same_accuracy_either_way(tmp_path):
    plane = DATA_PLANES["shm"](directory=str(tmp_path / "store"))
    file, told = tmp_path / "rows.csv", []
    rows = swept(SMALL, [InMessages(0), ByReference(plane, 0)], file, hooks=Hooks(told.append))
    assert len(rows) == 2 * 2 * 2 * 4  # stores, depths, rounds, endpoints
    assert told == [f"{store}, {n} blocks" for store in ("no_store", "proxystore") for n in (1, 1, 2, 2)]
    assert all(row.ok and row.local for row in rows)
    assert [(row.round, row.endpoint_name) for row in rows[:8]] == [(i, name) for i in (0, 1) for name in "abcd"]
    direct, stored = rows[:16], rows[16:]
    for one, two in zip(direct, stored, strict=True):
        same = ("test_accuracy", "test_loss", "train_accuracy", "train_loss", "model_param_size", "num_hidden_blocks")
        assert [getattr(one, name) for name in same] == [getattr(two, name) for name in same]
        assert one.data_transfer_size >= one.model_param_size > 2_000_000 and two.data_transfer_size < 5_000
        assert one.transfer_time == pytest.approx(sum(getattr(one, leg) for leg in LEGS))
        assert two.transfer_time == pytest.approx(sum(getattr(two, leg) for leg in LEGS))
    assert len({row.time_taken_for_process for row in rows}) == 4
    stats = plane.stats()  # one model a round, one update each; and one before, so that everybody reaches the store
    assert (stats["objects"], stats["puts"]) == (0, 1 + 4 * 1)  # the updates were put by attached planes
    plane.close()
    assert not list((tmp_path / "store").glob("horae-*"))
    with file.open() as source:
        assert len(list(csv.DictReader(source))) == 32


def test_over_the_limit_rows_are_failures_not_gaps(tmp_path):
    # Four times (422,026 and 459,210 numbers) in base64 are 2.28 and 2.48 MB.
    plane = DATA_PLANES["inline"]()
    limit = 2_400_000
    rows = swept(SMALL, [InMessages(limit), ByReference(plane, limit)], tmp_path / "rows.csv")
    assert len(rows) == 32 and sum(row.ok for row in rows) == 24
    failed = [row for row in rows if not row.ok]
    assert {(row.store, row.num_hidden_blocks) for row in failed} == {("no_store", 2)}
    assert all(row.status.startswith("over-limit: task of 2,48") for row in failed)
    assert all(isnan(row.transfer_time) and isnan(row.test_accuracy) for row in failed)
    assert all(row.data_transfer_size > limit for row in failed)
    assert plane.keys() == []


def test_the_mean_is_by_samples():
    total, like = Sum(), {"w": np.zeros(2, np.float32)}
    total.add({"w": np.float32([1, 0])}, 3, like)
    total.add({"w": np.float32([5, 4])}, 1, like)
    assert total.mean()["w"].tolist() == [2.0, 1.0]  # (3 * 1 + 5) / 4, (0 + 4) / 4
    with pytest.raises(ValueError, match="not one of this model"):
        total.add({"w": np.zeros(3, np.float32)}, 1, like)
    with pytest.raises(ValueError, match="not finite"):
        total.add({"w": np.float32([np.nan, 0])}, 1, like)
    assert total.samples == 4


class Odd(Executor):
    """Runs tasks at once; endpoint 1 answers nonsense, 2 raises, 3 takes for ever."""

    def submit(self, function, task):
        future = Future()
        if function is not work_there or task.endpoint == 0:
            future.set_result(function(task))
        elif task.endpoint == 1:
            future.set_result("nonsense")
        elif task.endpoint == 2:
            future.set_exception(OSError("the link\nis down"))
        return future


def test_whoever_fails_is_named_and_the_others_go_on(tmp_path):
    plan = replace(SMALL, loops=1, blocks=(1,), timeout_s=0.5)
    plane = DATA_PLANES["inline"]()
    rows = swept(plan, [ByReference(plane, 0)], tmp_path / "rows.csv", Sites([Odd], shared=True))
    assert [row.status for row in rows] == [
        "ok", "failed: the answer is a str", "failed: OSError: the link is down", "timeout: no answer after 0.5 s",
    ]  # fmt: skip
    assert rows[0].test_accuracy == rows[3].test_accuracy and not isnan(rows[3].test_accuracy)
    assert plane.keys() == []


class Leaky(InMessages):
    """A store that loses the third update."""

    lost = 0

    def receive(self, reply):
        self.lost += 1
        if self.lost == 3:
            raise PlaneError("missing", "0-update-3", "it was evicted")
        return super().receive(reply)


def test_an_update_that_is_lost(tmp_path):
    rows = swept(replace(SMALL, loops=1, blocks=(1,)), [Leaky(0)], tmp_path / "rows.csv")
    assert [row.ok for row in rows] == [True, True, False, True]
    assert rows[2].status.startswith("failed: PlaneError") and "0-update-3" in rows[2].status


def test_stopping_keeps_the_rows(tmp_path):
    file, said = tmp_path / "rows.csv", []
    hooks = Hooks(said.append, lambda: len(said) >= 1)
    plan = replace(SMALL, interval_s=1000)
    rows = swept(plan, [InMessages(0)], file, hooks=hooks)
    assert len(rows) == 4 and len(file.read_text().splitlines()) == 5
    assert all(row.time_taken_for_process > 0 for row in rows)

    def interrupt(words):
        raise KeyboardInterrupt

    file = tmp_path / "other.csv"
    with pytest.raises(KeyboardInterrupt):
        swept(plan, [InMessages(0)], file, hooks=Hooks(interrupt))
    assert len(file.read_text().splitlines()) == 5


def test_endpoints_that_cannot_start(tmp_path):
    plan = replace(SMALL, data="nothing")
    with pytest.raises(RunError, match="endpoint a cannot train: --data-name should be"):
        swept(plan, [InMessages(0)], tmp_path / "rows.csv")
    assert not (tmp_path / "rows.csv").exists()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("epochs", 0, "--epochs"), ("loops", 0, "--loops"), ("trials", 0, "--trials"), ("seed", -1, "--seed"),
        ("interval_s", -1, "--time_interval"), ("timeout_s", float("nan"), "--timeout"), ("samples", 10**6, "-s"),
        ("blocks", (0,), "--hidden-blocks"), ("blocks", (1, 1), "each once"), ("blocks", (), "--hidden-blocks"),
    ],
)  # fmt: skip
def test_refused(field, value, says):
    with pytest.raises(ConfigError, match=says):
        check(replace(SMALL, **{field: value}))


def test_a_process_of_its_own_for_each_and_another_when_it_is_killed():
    with sites("process", Endpoints((Endpoint("a"), Endpoint("b")))) as where:
        pids = [where.submit(i, os.readlink, PID).result() for i in (0, 1)]
        assert len({*pids, str(os.getpid())}) == 3
        stuck = where.submit(1, time.sleep, 1000)
        os.kill(int(pids[1]), signal.SIGKILL)
        with pytest.raises(BrokenExecutor):
            stuck.result(60)
        assert where.submit(1, os.readlink, PID).result() not in pids
        assert where.submit(0, os.readlink, PID).result() == pids[0]


@pytest.mark.slow
def test_a_killed_endpoint_costs_its_own_row_alone():
    plan = replace(SMALL, endpoints=Endpoints((Endpoint("a"), Endpoint("b"))), loops=1, blocks=(1,))
    plane = DATA_PLANES["shm"]()
    with sites("process", plan.endpoints) as where, sites("thread", plan.endpoints) as threads:
        pid = int(where.submit(1, os.readlink, PID).result())
        where.submit(1, time.sleep, 1000)  # so that its work waits until it is killed
        process = Process(plan, ByReference(plane, 0), where, 1, 0, "shm", "process")
        threading.Timer(1.0, os.kill, (pid, signal.SIGKILL)).start()
        (rows,) = process.rounds(lambda: False)
        assert rows[0].ok and rows[1].status.startswith("lost")
        again = Process(plan, ByReference(plane, 0), where, 1, 0, "shm", "process")
        direct = Process(plan, InMessages(0), threads, 1, 0, "", "thread")
        ((one, two),), ((three, four),) = again.rounds(lambda: False), direct.rounds(lambda: False)
    assert (one.test_loss, one.train_loss, two.train_loss) == (three.test_loss, three.train_loss, four.train_loss)
    assert plane.keys() == []
    plane.close()


def test_a_task_that_takes_too_long_is_left_behind():
    plan = replace(SMALL, endpoints=Endpoints((Endpoint("a"),)), timeout_s=0.2)
    with sites("thread", plan.endpoints) as where:
        process = Process(plan, InMessages(0), where, 1, 0, "", "thread")
        sent = process._send(0, 0)
        sent.future = where.submit(0, time.sleep, 1.0)
        late = process._result(0, sent)
        assert isinstance(late, Failure) and late.kind == "timeout"
        assert where.submit(0, abs, -3).result(0.5) == 3  # a fresh thread, not behind the sleeper
