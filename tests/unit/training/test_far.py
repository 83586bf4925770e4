"""Workers of somebody else's executor: the same bits as one process, and one clear word where it cannot be had."""

import multiprocessing
import os
import signal
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from torch import nn

from horae.errors import ConfigError, RunError
from horae.training import Trainer, Training, Work, far
from horae.training.executors import EXECUTORS, starter
from horae.training.far import Far, Missing, train_far
from horae.training.native import compiled
from horae.training.pool import Pool

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(300, 6)).astype(np.float32), RNG.integers(0, 3, 300)
ROWS = [np.sort(RNG.choice(300, n, replace=False)) for n in (5, 0, 9, 12, 1, 7, 7, 3, 11)]
KINDS = ["dense", "lean", *(["native"] if compiled() else [])]


def trainer(kind="dense", **options):
    nn.init.constant_((module := nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)))[0].bias, 0.1)
    return Trainer(module, Training(steps=2, batch=3, chunk=2, path=kind), X, Y, 0, **options)


def work(of, number=1):
    return Work(of.initial_params, of.initial_buffers, np.arange(len(ROWS)), ROWS, number)


def spawned(workers):
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


def by(start, kind="dense", workers=2):
    """A trainer whose workers an executor has, and the trainer alone, with the same start."""
    alone = trainer(kind)
    far_one = Trainer(alone.module, alone.training, X, Y, 0)
    hands = Far(far_one._path, 1, lambda: start(workers))
    far_one._pool = Pool(far_one._path, workers, far_one._arena, hands)
    return alone, far_one


def assert_same(one, other):
    for name in ("updates", "buffers", "losses", "processed"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("kind", KINDS)
def test_an_executor_changes_no_bit(kind):
    alone, shared = by(spawned, kind)
    try:
        for number in (1, 2):
            assert_same(shared.train(work(shared, number)), alone.train(work(alone, number)))
    finally:
        shared.close()


class Here(Executor):
    """Everything at once, in this process, counting; `fail` says which submissions are lost."""

    def __init__(self, fail=()):
        self.sent, self.fail, self.ended = [], set(fail), False

    def submit(self, fn, /, key, blob, threads, part):
        self.sent.append(len(blob))
        future = Future()
        if len(self.sent) in self.fail:
            future.set_exception(OSError("connection lost"))
        else:
            future.set_result(fn(key, blob, threads, part))
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.ended = True


def test_the_data_travels_once():
    executor = Here()
    alone, shared = by(lambda _: executor)
    far._paths.clear()
    for number in (1, 2, 3):
        assert_same(shared.train(work(shared, number)), alone.train(work(alone, number)))
    assert all(executor.sent[:2]) and not any(executor.sent[2:])
    shared.close()
    assert executor.ended


def test_a_worker_without_the_data_is_sent_it():
    executor = Here()
    alone, shared = by(lambda _: executor)
    shared.train(work(shared, 1))
    far._paths.clear()  # as in a worker that has just begun
    assert_same(shared.train(work(shared, 2)), alone.train(work(alone, 2)))
    assert [bool(size) for size in executor.sent] == [True, True, False, False, True, True]
    far._paths.clear()
    assert isinstance(train_far("unknown", b"", 1, None), Missing)


def test_a_lost_part_is_done_again_and_a_lost_cause_given_up():
    executor = Here(fail=[2])
    alone, shared = by(lambda _: executor)
    assert_same(shared.train(work(shared)), alone.train(work(alone)))
    assert len(executor.sent) == 3
    _, hopeless = by(lambda _: Here(fail=range(99)))
    with pytest.raises(RunError, match=r"2 workers keep dying \(connection lost\)"):
        hopeless.train(work(hopeless))


def test_an_error_of_the_training_is_no_lost_worker():
    executor = Here()
    _, shared = by(lambda _: executor)
    object.__setattr__(shared._path, "stack", None)  # the path cannot train any more
    with pytest.raises(RunError, match="training failed in a worker: TypeError"):
        shared.train(work(shared))
    assert len(executor.sent) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rya", "is 'rya'; did you mean 'ray'"),
        ("no_such.module:start", "cannot import 'no_such.module:start'"),
        ("math:pi", "cannot be called"),
        *([] if find_spec("ray") else [("ray", r'ray is not installed; pip install "horae\[ray\]"')]),
    ],
)
def test_pools_that_do_not_exist(name, message):
    with pytest.raises(ConfigError, match=message):
        trainer(workers=2, pool=name)


def test_a_function_that_makes_no_executor(monkeypatch, tmp_path):
    (tmp_path / "mysite.py").write_text(
        "def some(workers): return workers\ndef bad(workers): raise OSError('no queue')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"should return a concurrent\.futures\.Executor, not int"):
        starter("mysite:some", 2)()
    with pytest.raises(RunError, match=r"pool mysite:bad did not start \(OSError: no queue\)"):
        starter("mysite:bad", 2)()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", EXECUTORS)
def test_the_executors_that_have_names(name):
    pytest.importorskip(name, reason=f"{name} is not installed")
    alone = trainer()
    shared = Trainer(alone.module, alone.training, X, Y, 0, workers=2, pool=name)
    try:
        for number in (1, 2):
            assert_same(shared.train(work(shared, number)), alone.train(work(alone, number)))
    finally:
        shared.close()


def test_a_killed_worker_is_replaced_by_whoever_owns_it():
    class Renewing(Executor):
        """A process pool that starts again after a loss, as Ray and Parsl do."""

        def __init__(self):
            self.inner = spawned(2)

        def submit(self, fn, /, *args):
            try:
                return self.inner.submit(fn, *args)
            except Exception:
                self.inner = spawned(2)
                return self.inner.submit(fn, *args)

        def shutdown(self, wait=True, *, cancel_futures=False):
            self.inner.shutdown()

    executor = Renewing()
    alone, shared = by(lambda _: executor)
    try:
        shared.train(work(shared, 1))
        for worker in executor.inner._processes:
            os.kill(worker, signal.SIGKILL)
        assert_same(shared.train(work(shared, 2)), alone.train(work(alone, 2)))
    finally:
        shared.close()
