"""Tasks on their way, with an executor that does what the test says: clients are numbers, and so are their answers."""

import time
from concurrent.futures import BrokenExecutor, Executor, Future

import pytest

from horae.engines.backends import Backend
from horae.engines.dispatch import Dispatch, Errand
from horae.engines.messages import ClientFailure, Recipe, Reply, Task
from horae.engines.site import Site
from horae.types import ROOT, Ref


def errand(client, flight=0):
    return Errand(flight, client, Task(Recipe("", ""), "inline:", Ref("m", 0), f"u{client}", client, 0, ROOT))


class Pool(Executor):
    """Two workers that share a fate: a deadly client breaks whatever is out. asleep: never answer."""

    def __init__(self, deadly=(), asleep=(), odd=()):
        self.deadly, self.asleep, self.odd, self.out, self.begun = deadly, asleep, odd, {}, []

    def submit(self, fn, task):
        self.begun.append(task.client)
        self.out[task.client] = future = Future()
        if len(self.out) == 2 or task.client in (*self.asleep, *self.deadly) or len(self.begun) > 2:
            self.turn()
        return future

    def turn(self):
        broken = any(c in self.deadly for c in self.out)
        for client, future in list(self.out.items()):
            if broken:
                future.set_exception(BrokenExecutor("gone"))
            elif client in self.odd:
                future.set_exception(ValueError("odd"))
            elif client not in self.asleep:
                future.set_result(Reply(client, Ref(f"u{client}", 0), 0.0, 0.0, 1, 1))
            else:
                continue
            del self.out[client]


class Renewed(Backend):
    """Counts how often it was started again, which ends all that was out."""

    renewals = 0

    def renew(self):
        self.renewals += 1
        self._executor.out.clear()
        return True


def dispatch_of(pool, attempts=2, timeout_s=60.0):
    forgotten = []
    backend = Renewed("pool", 2, lambda: pool)
    return Dispatch(backend, Site("process", 2, timeout_s, attempts), lambda t: forgotten.append(t.client)), forgotten


def all_of(dispatch):
    found = []
    while not dispatch.idle:
        found += dispatch.step(0.05)
    return {a.errand.task.client: a.answer for a in found}


def test_everybody_answers():
    dispatch, _ = dispatch_of(Pool())
    dispatch.add([errand(c) for c in range(4)])
    answers = all_of(dispatch)
    assert sorted(answers) == [0, 1, 2, 3] and all(isinstance(a, Reply) for a in answers.values())


def test_a_deadly_task_is_found_out_and_those_that_were_out_with_it_do_not_suffer():
    """0 and 1 are lost together; then they are done one by one, and 1 alone is lost again."""
    pool = Pool(deadly=[1])
    dispatch, _ = dispatch_of(pool)
    dispatch.add([errand(c) for c in range(4)])
    answers = all_of(dispatch)
    assert {c for c, a in answers.items() if isinstance(a, ClientFailure)} == {1}
    assert answers[1].kind == "worker lost" and pool.begun.count(1) == pool.begun.count(0) == 2
    assert dispatch.backend.renewals == 2


def test_what_an_executor_raises_is_tried_again_and_then_named():
    pool = Pool(odd=[0])
    dispatch, _ = dispatch_of(pool, attempts=3)
    dispatch.add([errand(0), errand(1)])
    answers = all_of(dispatch)
    assert isinstance(answers[1], Reply) and str(answers[0]) == "client 0: ValueError: odd"
    assert pool.begun.count(0) == 3


@pytest.mark.parametrize("answer", [None, 3, "a reply"])
def test_what_is_no_reply_is_a_failure(answer):
    class Odd(Executor):
        def submit(self, fn, task):
            future = Future()
            future.set_result(answer)
            return future

    dispatch, _ = dispatch_of(Odd())
    dispatch.add([errand(0)])
    assert all_of(dispatch)[0].kind == "no reply"


def test_who_does_not_answer_is_given_up_and_the_others_begin_anew():
    pool = Pool(asleep=[0])
    dispatch, _ = dispatch_of(pool, timeout_s=0.2)
    dispatch.add([errand(c) for c in range(3)])
    began, answers = time.monotonic(), all_of(dispatch)
    assert answers[0].kind == "timed out" and isinstance(answers[1], Reply) and isinstance(answers[2], Reply)
    assert time.monotonic() - began < 5 and dispatch.backend.renewals == 1


def test_futures_that_cannot_be_cancelled_are_left_behind_and_forgotten_when_they_come():
    class Stubborn(Future):
        def cancel(self):
            raise NotImplementedError

    class Slow(Executor):
        futures = ()

        def submit(self, fn, task):
            self.futures = (*self.futures, Stubborn())
            return self.futures[-1]

    slow = Slow()
    dispatch, forgotten = dispatch_of(slow, timeout_s=0.1)
    dispatch.backend.renew = lambda: False
    dispatch.add([errand(0)])
    assert all_of(dispatch)[0].kind == "timed out" and forgotten == []
    slow.futures[0].set_result(None)
    assert forgotten == [0]


def test_answers_to_rounds_that_are_over_are_forgotten_and_unsent_tasks_never_sent():
    pool = Pool(asleep=[0])
    dispatch, forgotten = dispatch_of(pool)
    dispatch.add([errand(c, flight=1) for c in (0, 1, 2)])
    assert [a.errand.task.client for a in dispatch.step(0.01)] == [1]
    dispatch.add([errand(3, flight=2)])
    unsent, out = dispatch.drop(1)
    assert [e.task.client for e in unsent] == [2] and [e.task.client for e, _ in out] == [0]
    assert dispatch.at_work() == {0}
    pool.asleep = ()
    pool.turn()
    found = dispatch.step(0.5)
    found += dispatch.step(0.5)
    assert [a.errand.task.client for a in found] == [3] and forgotten == [0]
    assert dispatch.at_work() == set() and 2 not in pool.begun
