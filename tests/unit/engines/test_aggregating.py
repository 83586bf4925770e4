"""Updates added up through a tree: the flat sum's numbers, failures as values, and nothing left on the data plane.

The model has 6 weights: a partial sum is 24 bytes.
"""

import json
import tracemalloc
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace

import numpy as np
import pytest
from sites import plan, world
from test_executor import Notebook, half, invitation, most, whole_run
from test_topology import DEEP

import horae
from horae.data_planes import Inline, Shm
from horae.engines import aggregating
from horae.engines.adding import Addition, Partial, Term, partial_sum
from horae.engines.aggregating import Aggregators
from horae.engines.backends import Backend, backend_of
from horae.engines.backends import Inline as Here
from horae.engines.executor import Distributed
from horae.engines.messages import Recipe
from horae.engines.outcomes import Flight
from horae.engines.remote import Arrival, RemoteUpdates
from horae.engines.simulation import Pace
from horae.engines.site import Site
from horae.errors import ConfigError, RunError
from horae.federate import federate
from horae.report.schema import fault_of_event
from horae.types import ROOT, Charge, Held

pytest.importorskip("yaml")


@pytest.fixture
def tree(tmp_path):
    def written(text):
        file = tmp_path / "topology.yml"
        file.write_text(text)
        return file

    return written


def engine_of(made, here, file, executor="inline", backend=None, **site):
    site = Site(executor, topology=str(file), **site)
    return Distributed(made, here, site, Recipe("", ""), Pace(min_clients=1), backend)


def one_sum(made, engine, weights, **more):
    """The tree's sum and the flat one of one round, and its outcome."""
    engine.start(invitation(made, **more))
    for outcome in engine.finished():
        both = outcome.updates.combine(weights), outcome.updates.flat(weights)
    made.data_plane.evict(outcome.round.model)
    return outcome, *both


# ---------------------------------------------------------------- sums


def test_an_aggregator_adds_weighted_updates_and_sums():
    """0.5 (2, 4) + 0.25 (4, 0) + (10, 20) = (12, 22)."""
    plane = Shm()
    terms = [plane.put({"update": np.array(row, np.float32)}, ROOT) for row in ([2, 4], [4, 0])]
    below = plane.put({"sum": np.array([10, 20], np.float32)}, ROOT)
    key = plane.reserve(ROOT, "sum")
    task = Addition("a", plane.address, key, (Term(terms[0], 0.5), Term(terms[1], 0.25)), (below,), 2)
    answer = partial_sum(task)
    assert (answer.aggregator, answer.kind) == ("a", "")
    assert plane.get(answer.ref)["sum"].tolist() == [12.0, 22.0]
    never = plane.put({"update": np.ones(2, np.float32)}, ROOT)
    plane.evict(never)
    gone = partial_sum(replace(task, out=plane.reserve(ROOT, "sum"), terms=(Term(never, 1.0),)))
    assert gone.ref is None and gone.kind == "missing" and "\n" not in gone.why
    plane.close()


@pytest.mark.parametrize("plane", [Inline, Shm])
@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_a_deep_tree_adds_up_what_the_leader_alone_would(tree, plane, executor):
    made = plan(data_plane=plane(), participants=6)
    engine = engine_of(made, world(), tree(DEEP), executor, workers=2)
    weights = np.array([0.1, 0.2, 0.3, 0.15, 0.05, 0.2])
    _, through, flat = one_sum(made, engine, weights, invited=range(6), quorum=6)
    np.testing.assert_allclose(through, flat, rtol=1e-6, atol=1e-8)
    assert np.abs(flat).max() > 0
    assert engine.settle() == (Charge("aggregation", nbytes_up=24),) * 3  # town, east, west
    engine.close()
    assert made.data_plane.stats()["objects"] == 0
    made.data_plane.close()


@pytest.mark.parametrize("plane", [Inline, Shm])
def test_masks_pass_through(tree, plane):
    made = plan(data_plane=plane())
    engine = engine_of(made, world(), tree("aggregators: 2"))
    held = Held((half, most), np.array([0, 1, 0]))
    outcome, through, flat = one_sum(made, engine, np.array([0.5, 0.25, 0.25]), held=held)
    np.testing.assert_allclose(through, flat, rtol=1e-6, atol=1e-8)
    assert [*outcome.news] == []
    engine.close()
    assert made.data_plane.stats()["objects"] == 0
    made.data_plane.close()


def test_a_run_through_two_aggregators_learns_the_same(tree):
    """9 participations are 3 rounds of 3 of 6 clients; each has at most two sums of 24 bytes."""
    models = {}
    for executor in ("inline", "thread"):
        for plane in (Inline, Shm):
            made, here = plan(data_plane=plane()), world()
            end, notes = whole_run(made, engine_of(made, here, tree("aggregators: 2"), executor, workers=3), here)
            models[executor, plane] = end.tree[ROOT].params
            kinds = sum(len({int(c) % 2 for c in outcome.clients}) for outcome in notes.outcomes)
            assert end.ledger.by_purpose["aggregation"] == Charge("aggregation", nbytes_up=24 * kinds)
            assert not notes.failures
    made, here = plan(), world()
    flat, _ = whole_run(made, Distributed(made, here, Site("inline"), Recipe("", ""), Pace(min_clients=1)), here)
    assert len({model.tobytes() for model in models.values()}) == 1
    np.testing.assert_allclose(models["inline", Inline], flat.tree[ROOT].params, rtol=1e-6)


def test_single_updates_can_be_read_before_and_after_the_sum(tree):
    made = plan(data_plane=Shm())
    engine = engine_of(made, world(), tree("aggregators: 2"))
    engine.start(invitation(made))
    for outcome in engine.finished():
        before = outcome.updates.gram()
        outcome.updates.combine(np.full(3, 1 / 3))
        assert outcome.updates.gram().tolist() == before.tolist()
        some = outcome.updates.only(np.array([True, False, True]))
        np.testing.assert_allclose(some.combine(np.ones(2)), some.flat(np.ones(2)), rtol=1e-6, atol=1e-8)
    engine.close()
    made.data_plane.close()


# ---------------------------------------------------------------- what goes wrong


def test_a_plane_that_workers_cannot_reach_is_refused(tree):
    with pytest.raises(ConfigError, match="data_plane should be one that workers reach"):
        engine_of(plan(), world(), tree("aggregators: 2"), "process")


def refusing(name):
    """An aggregator of this name fails; the others add up."""

    def run(task):
        return Partial(name, None, "MemoryError", "no\nroom") if task.aggregator == name else partial_sum(task)

    return run


@pytest.mark.parametrize(
    ("name", "whom", "left"), [("town", 0, "3 updates"), ("east", 0, "1 update and 1 sum"), ("west", 3, "1 update")]
)
def test_what_an_aggregator_fails_to_add_up_the_leader_adds_up(tree, monkeypatch, name, whom, left):
    """Below east are town (clients 0, 1, 5) and client 2."""
    made = plan(data_plane=Shm(), participants=6)
    engine = engine_of(made, world(), tree(DEEP))
    monkeypatch.setattr(aggregating, "run_addition", refusing(name))
    weights = np.arange(1, 7) / 21
    outcome, through, flat = one_sum(made, engine, weights, invited=range(6), quorum=6)
    np.testing.assert_allclose(through, flat, rtol=1e-6, atol=1e-8)
    (news,) = outcome.news  # there as soon as the updates are added up
    assert (news["event"], news["client"], news["kind"], news["aggregator"]) == ("failure", whom, "MemoryError", name)
    assert news["why"] == f"aggregator {name}: no room; the leader adds up {left} itself"
    monkeypatch.undo()
    outcome, _, _ = one_sum(made, engine, weights, invited=range(6), quorum=6)
    assert [*outcome.news] == []
    engine.close()
    assert made.data_plane.stats()["objects"] == 0
    made.data_plane.close()


def failing_first(times, tried):
    """Every aggregator's first attempts fail."""

    def run(task):
        tried.append(task.aggregator)
        failed = tried.count(task.aggregator) <= times
        return Partial(task.aggregator, None, "timeout", "no answer") if failed else partial_sum(task)

    return run


@pytest.mark.parametrize(("attempts", "failed"), [(1, 2), (2, 0), (3, 0)])
def test_an_aggregator_that_failed_is_asked_again(tree, monkeypatch, attempts, failed):
    made, tried = plan(data_plane=Shm()), []
    engine = engine_of(made, world(), tree("aggregators: 2"), attempts=attempts)
    monkeypatch.setattr(aggregating, "run_addition", failing_first(1, tried))
    outcome, through, flat = one_sum(made, engine, np.full(3, 1 / 3))
    np.testing.assert_allclose(through, flat, rtol=1e-6, atol=1e-8)
    assert len(outcome.news) == failed and len(tried) == 2 * min(attempts, 2)
    assert sum(charge.nbytes_up for charge in engine.settle()) == 24 * (2 - failed)
    engine.close()
    assert made.data_plane.stats()["objects"] == 0
    made.data_plane.close()


class Deadly(Here):
    """A pool that breaks, with all that is out, wherever one aggregator's task is among them."""

    def __init__(self, out):
        self.out = out

    def submit(self, fn, /, *args, **kwargs):
        if not isinstance(args[0], Addition):
            return super().submit(fn, *args, **kwargs)
        self.out.append(args[0].aggregator)
        together = Future()
        if "aggregator-0" in self.out:
            together.set_exception(BrokenExecutor("a worker died"))
        else:
            together.set_result(fn(*args, **kwargs))
        return together


def test_of_two_aggregators_that_were_lost_together_the_innocent_one_adds_up(tree):
    made, out = plan(data_plane=Shm()), []
    engine = engine_of(made, world(), tree("aggregators: 2"), backend=Backend("inline", 1, lambda: Deadly(out)))
    renewed, tried = engine._tree.backend.renew, []
    engine._tree.backend.renew = lambda: (tried.append([*out]), out.clear(), renewed())[-1]
    outcome, through, flat = one_sum(made, engine, np.full(3, 1 / 3))
    np.testing.assert_allclose(through, flat, rtol=1e-6, atol=1e-8)
    assert tried == [["aggregator-0", "aggregator-1"], ["aggregator-0"]]  # the last attempt breaks nothing
    assert [news["aggregator"] for news in outcome.news] == ["aggregator-0"]
    engine.close()
    made.data_plane.close()


class Stuck(Here):
    """Trains, but never answers an aggregator."""

    def submit(self, fn, /, *args, **kwargs):
        return Future() if isinstance(args[0], Addition) else super().submit(fn, *args, **kwargs)


class Broken(Here):
    """Trains, but takes no aggregator's task."""

    def submit(self, fn, /, *args, **kwargs):
        if isinstance(args[0], Addition):
            raise OSError("no\nline")
        return super().submit(fn, *args, **kwargs)


@pytest.mark.parametrize(("executor", "kind"), [(Stuck, "timed out"), (Broken, "OSError")])
def test_an_executor_that_does_not_add_up_costs_its_time_and_no_more(tree, executor, kind):
    made = plan(data_plane=Shm())
    engine = engine_of(made, world(), tree("aggregators: 2"), backend=Backend("inline", 1, executor), timeout_s=0.2)
    outcome, through, flat = one_sum(made, engine, np.full(3, 1 / 3))
    assert through.tobytes() == flat.tobytes()
    assert [news["kind"] for news in outcome.news] == [kind] * 2 and engine.settle() == ()
    engine.close()
    assert made.data_plane.stats()["objects"] == 0
    made.data_plane.close()


def test_a_sum_that_is_gone_is_made_again_by_the_leader(tree, monkeypatch):
    made = plan(data_plane=Shm())
    engine = engine_of(made, world(), tree("aggregators: 2"))

    def lost(task):
        answer = partial_sum(task)
        made.data_plane.evict(answer.ref)
        return answer

    monkeypatch.setattr(aggregating, "run_addition", lost)
    outcome, through, flat = one_sum(made, engine, np.full(3, 1 / 3))
    assert through.tobytes() == flat.tobytes()
    assert [(n["kind"], n["aggregator"]) for n in outcome.news] == [("missing", "leader")]
    engine.close()
    made.data_plane.close()


def test_an_update_that_is_gone_ends_the_run_with_one_line_as_ever(tree):
    made = plan(data_plane=Shm())
    engine = engine_of(made, world(), tree("aggregators: 2"))
    engine.start(invitation(made))
    with pytest.raises(RunError, match=r"^the update of client 1 is gone from the data plane: [^\n]*$"):
        for outcome in engine.finished():
            made.data_plane.evict(outcome.updates.arrivals[1].ref)
            outcome.updates.combine(np.full(3, 1 / 3))
    engine.close()
    made.data_plane.close()


def test_a_failure_is_in_the_log_of_its_round_the_last_one_too(tree, monkeypatch):
    made, here, notes = plan(data_plane=Shm()), world(), Notebook()
    engine = engine_of(made, here, tree("aggregators: 1"))
    monkeypatch.setattr(aggregating, "run_addition", refusing("aggregator-0"))
    federate(made, (here.trainer.initial_params, here.trainer.initial_buffers), engine, notes)
    engine.close()
    assert [[n["number"] for n in outcome.news] for outcome in notes.outcomes] == [[0], [1], [2]]
    made.data_plane.close()


# ---------------------------------------------------------------- an experiment


SMALL = {
    "name": "tiers", "participants": 4, "overcommit": 1.0, "baseline": "none", "budget": {"participations": 12},
    "clustering": {"name": "single"}, "evaluation": {"every": 2, "clients": 20},
    "population": {"name": "digits-rotated", "clients": 20}, "data_plane": {"name": "shm"},
}  # fmt: skip


def events(result):
    return [json.loads(line) for line in (result.directory / "events.jsonl").read_text().splitlines()]


def test_an_experiment_names_its_topology(tree, tmp_path, monkeypatch):
    """Three rounds of one sum each, and a failure in the log for each that fails."""
    site = {"executor": "thread", "workers": 2}
    flat = horae.run({**SMALL, "site": site}, out=tmp_path / "flat")
    tiers = {**SMALL, "site": {**site, "topology": str(tree("aggregators: 1"))}}
    through = horae.run(tiers, out=tmp_path / "through")
    np.testing.assert_allclose(through.models[()], flat.models[()], rtol=1e-5, atol=1e-6)
    bill = events(through)[-1]["ledger"]["aggregation"]
    assert (bill["nbytes_up"], bill["participations"]) == (3 * 4 * through.models[()].size, 0)
    monkeypatch.setattr(aggregating, "run_addition", refusing("aggregator-0"))
    failing = horae.run(tiers, out=tmp_path / "failing")
    assert (failing.models[()] == flat.models[()]).all()  # the leader adds up everything
    lines = events(failing)
    told = [(line["number"], line["aggregator"]) for line in lines if line["event"] == "failure"]
    assert told == [(i, "aggregator-0") for i in range(3)]
    assert all(fault_of_event(line) is None for line in lines)


def test_a_topology_that_is_none_is_refused_before_any_work(tree, tmp_path):
    site = {"executor": "thread", "topology": str(tree("a: 3"))}
    with pytest.raises(ConfigError, match="should have a kind and children"):
        horae.run({**SMALL, "site": site}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------- memory


def test_the_controller_holds_at_most_three_models(tree):
    """Forty updates of a million weights through four aggregators, in this same process."""
    made, params, arrivals = plan(data_plane=Shm()), 2**20, []
    for client in range(40):
        row = np.full(params, client, np.float32)
        arrivals.append(Arrival(client, made.data_plane.put({"update": row}, ROOT), 1.0))
    site = Site("inline", topology=str(tree("aggregators: 4")))
    aggregators = Aggregators(site, made, backend_of(site))
    flight = Flight(invitation(made), 0.0)
    news = []
    adder = lambda updates, weights: aggregators._combined(flight, news, updates, weights)  # noqa: E731
    updates = RemoteUpdates(tuple(arrivals), made.data_plane, params).through(adder)
    tracemalloc.start()
    total = updates.combine(np.full(40, 1 / 40))
    peak = tracemalloc.get_traced_memory()[1] / (4 * params)
    tracemalloc.stop()
    assert total[0] == pytest.approx(19.5) and news == []
    assert peak < 3, peak
    made.data_plane.close()


@pytest.mark.slow
def test_workers_of_another_process_add_up(tree):
    """Real processes: `sites` makes the world there."""
    from sites import recipe

    made, here = plan(data_plane=Shm()), world()
    site = Site("process", 2, topology=str(tree("aggregators: 2")))
    engine = Distributed(made, here, site, recipe(), Pace(min_clients=1))
    outcome, through, flat = one_sum(made, engine, np.full(3, 1 / 3))
    np.testing.assert_allclose(through, flat, rtol=1e-6, atol=1e-8)
    assert [*outcome.news] == [] and len(engine._tree.charges) == 2
    engine.close()
    assert made.data_plane.keys() == []
    made.data_plane.close()
