"""What clusterings with shared rounds have in common; and, for their tests, a shared round by hand and a small run."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import horae
from horae.clustering.lockstep import Rows, SharedRounds, at_home, settled, wishes
from horae.errors import ConfigError, Stopped
from horae.experiment import component
from horae.types import ROOT, Cohort, CohortTree, Lockstep, Outcome, Practice, Records, Ref, Round, Updates

IDEAL = {  # what the papers assume: everybody is there, and takes part in every round
    "baseline": "none", "availability.name": "always", "population.clients": 40, "participants": 40, "overcommit": 1.0,
}  # fmt: skip


def seedling(params=(0.0, 0.0), common=None):
    return CohortTree({ROOT: Cohort(ROOT, np.array(params, np.float32), np.zeros(0, np.float32))}, common=common)


def outcome(path, clients, rows, samples=None, losses=None):
    clients, rows, q = np.asarray(clients), np.asarray(rows, np.float32), len(clients)
    round_ = Round(path, 0, Ref("m", 0), clients, q, 1e9, np.full(q, np.nan), np.zeros(q, bool))
    samples = np.ones(q, np.int64) if samples is None else np.asarray(samples)
    losses = np.ones(q) if losses is None else np.asarray(losses, float)
    return Outcome(round_, 0.0, 1.0, clients, Updates(rows), np.zeros(0, np.float32), samples, losses, np.ones(q),
                   round_.claims, round_.exploring)  # fmt: skip


def shared_round(clustering, tree, replies, ask=None):
    """One shared round as the loop does it. replies: by cohort, the arguments of `outcome`."""
    for path, told in replies.items():
        ended = outcome(path, *told)
        moved = ended.samples @ ended.updates.rows / ended.samples.sum()
        memory, feedback = clustering.learn(tree[path].clustering, ended, tree)
        assert feedback is None
        step = replace(tree[path], params=(tree[path].params + moved).astype(np.float32), round=tree[path].round + 1)
        tree = tree.put(replace(step, clustering=memory))
    tree, verdicts = clustering.settle(tree, 10, 0.1, ask)
    assert all(leaf.clustering is None for leaf in tree)
    return tree, verdicts


def practised(updates):
    """An `ask` that answers a `Practise` with the updates of these clients, by id, and notes who was asked."""
    asked = []

    def ask(work, *, charge=True):
        assert charge
        clients = np.array(sorted(updates)) if work.clients is None else work.clients
        asked.append((clients.tolist(), work.params.tolist()))
        rows = np.array([updates[c] for c in clients.tolist()], np.float32)
        return Practice(clients, Updates(rows), np.ones(clients.size, np.int64), np.ones(clients.size))

    return ask, asked


def no_records(clients, losses=None):
    n, clients = len(clients), np.asarray(clients)
    empty = np.zeros((n, 0))
    whole = empty.astype(int)
    return Records(clients, (), empty, whole, whole, empty.astype(bool), np.zeros(n, int), losses)


def small_run(tmp_path, name, changes=None, **more):
    """A quick run with everybody there; no page is drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("horae.report.html.write_report", lambda directory: None)
        return horae.run("demo", out=tmp_path, changes={"clustering.name": name, **IDEAL, **(changes or {})}, **more)


def resumed_is_the_same(tmp_path, name, changes, rounds):
    """Stopped after so many rounds and gone on with, the log is the same to the last byte."""
    small_run(tmp_path / "whole", name, changes)
    left = [rounds]

    def asked():
        left[0] -= 1
        return left[0] < 0

    with pytest.raises(Stopped):
        small_run(tmp_path / "stopped", name, changes, stop=asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("horae.report.html.write_report", lambda directory: None)
        horae.run(resume=tmp_path / "stopped")
    logs = [(tmp_path / run / "events.jsonl").read_bytes() for run in ("whole", "stopped")]
    return logs[0] == logs[1]


def refused(name, field, value):
    """The one line for a value out of range."""
    with pytest.raises(ConfigError) as error:
        component("clustering", {"name": name, field: value})
    return str(error.value)


@dataclass(frozen=True)
class Known:
    home: dict


class Plain(SharedRounds):
    def settle(self, tree, participants, spent, ask):
        return settled(tree)[0], []


def test_a_client_is_at_home_where_the_server_knows_it_to_be_and_else_at_random_for_good():
    leaves = ((0,), (1,), (2,))
    clients = np.arange(300)
    found = at_home({7: (2,), 8: (0,), 9: (5,)}, clients, leaves, seed=0)
    assert (found[7], found[8]) == (2, 0)
    np.testing.assert_array_equal(found[100:], at_home({}, clients[100:], leaves, seed=0))  # whoever else is asked
    assert np.bincount(found, minlength=3).min() > 70
    assert (found != at_home({}, clients, leaves, seed=1)).any()


def test_requests_go_by_what_is_known_of_everybody():
    tree = seedling(common=Known({1: (0,), 2: (1,)})).split(ROOT, 2, None)
    asked = Plain().request(no_records([2, 1]), tree, 0, explore=True)
    assert (asked.paths, asked.choice.tolist(), asked.nbytes.tolist()) == (((0,), (1,)), [1, 0], [0, 0])
    assert not asked.exploring.any()
    assert wishes(((0,), (1,)), np.array([1])).choice.tolist() == [1]


def test_cohorts_begin_together():
    tree = seedling().split(ROOT, 3, None)
    assert Plain().ready(tree, frozenset()) == [(0,), (1,), (2,)]
    assert Plain().ready(tree, frozenset({(1,)})) == []
    assert isinstance(Plain(), Lockstep)


def test_replies_are_copied_and_gone_once_the_round_is_settled():
    tree, room = seedling((1.0, 1.0)), np.ones((2, 2), np.float32)
    memory, _ = Plain().learn(None, replace(outcome(ROOT, [3, 4], room), updates=Updates(room)), tree)
    room[:] = 9
    held = tree.put(replace(tree[ROOT], clustering=memory))
    bare, replies = settled(held)
    assert bare[ROOT].clustering is None
    assert replies[ROOT].updates.tolist() == [[1, 1], [1, 1]]
    assert (replies[ROOT].clients.tolist(), replies[ROOT].params.tolist()) == ([3, 4], [1, 1])
    assert settled(bare) == (bare, {})


def test_the_latest_vector_of_each_client_is_kept_in_order_of_id():
    rows = Rows().put(np.array([5, 2]), np.array([[5.0], [2.0]], np.float32))
    rows = rows.put(np.array([3, 5]), np.array([[3.0], [50.0]], np.float32)).put(np.zeros(0, np.int64), rows.rows[:0])
    assert rows.clients.tolist() == [2, 3, 5]
    assert rows.of(np.array([5, 2, 3])).tolist() == [[50.0], [2.0], [3.0]]
