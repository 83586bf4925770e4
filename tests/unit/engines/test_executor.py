"""Rounds on executors: the same numbers as in the simulation, failures as values, and nothing left on the data plane.

The model has 6 weights, so that a model and an update are 24 bytes each; one step of 4 samples is 3 x 4 x 8 = 96 FLOPs.
"""

import pickle
import shutil
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from sites import plan, recipe, wide, world
from torch import nn

from horae.algorithms import ALGORITHMS
from horae.channels import CHANNELS
from horae.clustering import Auxo
from horae.data_planes import Inline, Shm
from horae.engines import Simulation, worker
from horae.engines.backends import Backend, backend_of
from horae.engines.executor import Distributed
from horae.engines.messages import ClientFailure, Recipe, Reply
from horae.engines.parcels import opened, parcel
from horae.engines.remote import Arrival, RemoteUpdates
from horae.engines.simulation import Pace
from horae.engines.site import Site
from horae.engines.wire import send
from horae.engines.worker import work
from horae.errors import ConfigError, HoraeError, PlaneError, RunError
from horae.federate import Budget, federate
from horae.pure.streams import stream
from horae.types import ROOT, Correction, Held, Round, Submodel, Updates

PLANES = {"inline": Inline, "shm": Shm}


class Notebook:
    def __init__(self):
        self.outcomes = []

    def round(self, outcome, tree, verdicts, feedback):
        self.outcomes.append(outcome)

    @property
    def failures(self):
        return [news for outcome in self.outcomes for news in outcome.news]


def engine_of(made, here=None, executor="inline", text=None, **site):
    return Distributed(made, here or world(), Site(executor, **site), text or Recipe("", ""), Pace(min_clients=1))


def whole_run(made, engine, here):
    notes = Notebook()
    start = (here.trainer.initial_params, here.trainer.initial_buffers)
    try:
        end = federate(made, start, engine, notes)
    finally:
        engine.close()
        left = made.data_plane.stats()["objects"]
        made.data_plane.close()
    assert left == 0
    return end, notes


def invitation(made, invited=(0, 1, 2), quorum=3, deadline_s=1e9, **more):
    n = len(invited)
    start = {"params": np.full(6, 0.1, np.float32), "buffers": np.zeros(0, np.float32)}
    return Round(
        ROOT, 0, made.data_plane.put(start, ROOT), np.array(invited), quorum, deadline_s, np.full(n, np.nan),
        np.zeros(n, bool), **more,
    )  # fmt: skip


def one_round(made, engine, **more):
    """What the loop hears of one round, with its updates read before they are evicted."""
    engine.start(invitation(made, **more))
    for outcome in engine.finished():
        read = outcome.updates.rows.copy(), None if outcome.seen is None else outcome.seen.rows.copy()
    return outcome, *read


# ---------------------------------------------------------------- the same numbers


@pytest.mark.parametrize(("executor", "plane"), [("inline", "inline"), ("inline", "shm"), ("thread", "shm")])
def test_a_run_on_an_executor_learns_what_the_simulation_learns(executor, plane):
    simulated = plan()
    here = world()
    start = (here.trainer.initial_params, here.trainer.initial_buffers)
    told = Notebook()
    expected = federate(simulated, start, Simulation(simulated, here, Pace(check_in_s=0.0)), told)
    made = plan(data_plane=PLANES[plane]())
    end, notes = whole_run(made, engine_of(made, here, executor, workers=2), here)
    np.testing.assert_allclose(end.tree[ROOT].params, expected.tree[ROOT].params, rtol=1e-6)
    assert [o.clients.tolist() for o in notes.outcomes] == [o.clients.tolist() for o in told.outcomes]
    bill = end.ledger.by_purpose["train"]
    assert (bill.participations, bill.nbytes_down, bill.flops) == (9, 9 * 24, 9 * 96)


def test_the_model_is_the_same_to_the_bit_however_it_travels():
    models = []
    for executor, plane in (("inline", Inline()), ("thread", Inline()), ("thread", Shm())):
        made, here = plan(data_plane=plane), world()
        end, _ = whole_run(made, engine_of(made, here, executor, workers=3), here)
        models.append(end.tree[ROOT].params.tobytes())
    assert len(set(models)) == 1


half = Submodel(np.array([1, 1, 0, 1, 0, 1], bool))
most = Submodel(np.array([1, 1, 1, 1, 1, 0], bool))
CASES = {
    "plain": {},
    "paced": {"efforts": np.array([1.0, 2.0, 3.0]), "sent": np.array([1.0, 0.5, 0.2])},
    "bent": {"correction": Correction(0.1, np.arange(6, dtype=np.float32)), "lr_scale": 0.5},
    "one mask": {"held": Held((half,))},
    "two masks": {"held": Held((half, most), np.array([0, 1, 0]))},
}


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("channels", [(), ("int8",), ("top_k", "float16")])
def test_one_rounds_updates_are_the_simulations(case, channels, plane):
    """The trainer's path is native or dense: clients by themselves may round otherwise than three together."""
    parts = tuple(CHANNELS[name](**({"share": 0.5} if name == "top_k" else {})) for name in channels)
    made = plan(channels=parts, data_plane=PLANES[plane](), clustering=Auxo(dims=4))
    simulation = Simulation(made, world(), Pace(check_in_s=0.0, min_clients=1))
    expected, rows, seen = one_round(made, simulation, **CASES[case])
    made.data_plane.evict(expected.round.model)
    engine = engine_of(made)
    outcome, mine, also = one_round(made, engine, **CASES[case])
    np.testing.assert_allclose(mine, rows, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(outcome.updates.norms(), np.linalg.norm(rows, axis=1), rtol=1e-5)
    assert (seen is None) == (also is None)
    if seen is not None:
        np.testing.assert_allclose(also, seen, rtol=1e-5, atol=1e-7)
    for name in ("clients", "samples", "steps"):
        assert getattr(outcome, name).tolist() == getattr(expected, name).tolist()
    np.testing.assert_allclose(outcome.losses, expected.losses, rtol=1e-6)
    engine.close()
    made.data_plane.evict(outcome.round.model)
    assert made.data_plane.stats()["objects"] == 0
    made.data_plane.close()


def test_buffers_are_averaged_by_samples():
    module = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2))
    made, here = plan(), world(module=module)
    simulated, there = plan(), world(module=module)
    end, _ = whole_run(made, engine_of(made, here), here)
    start = (there.trainer.initial_params, there.trainer.initial_buffers)
    expected = federate(simulated, start, Simulation(simulated, there, Pace(check_in_s=0.0)), Notebook())
    np.testing.assert_allclose(end.tree[ROOT].buffers, expected.tree[ROOT].buffers, rtol=1e-5)
    assert end.tree[ROOT].buffers.size == 4


def test_a_run_goes_on_from_a_snapshot_in_the_middle():
    made, here = plan(), world()
    whole, _ = whole_run(made, engine_of(made, here), here)
    made, here, notes = plan(), world(), Notebook()
    first = engine_of(made, here)
    photos = []

    class Camera:
        def look(self, standing, engine, *, over):
            photos.append((standing, engine.snapshot()))

    federate(made, (here.trainer.initial_params, here.trainer.initial_buffers), first, notes, [Camera()])
    first.close()
    standing, state = photos[1]
    again = plan()
    second = engine_of(again, here)
    second.restore(state)
    end = federate(again, standing, second, notes)
    second.close()
    assert end.tree[ROOT].params.tobytes() == whole.tree[ROOT].params.tobytes()


def test_rounds_in_flight_are_begun_again():
    made = plan()
    first = engine_of(made)
    first.start(invitation(made))
    state = first.snapshot()
    first.close()
    assert made.data_plane.stats()["objects"] == 0
    again = plan()
    second = engine_of(again)
    second.restore(state)
    (outcome,) = second.finished()
    second.close()
    assert outcome.clients.tolist() == [0, 1, 2] and second.now_s >= state["now_s"]


# ---------------------------------------------------------------- what goes wrong


def test_a_client_that_fails_is_named_and_the_others_count():
    made, here = plan(), world(fail=[1])
    engine = engine_of(made, here)
    outcome, _, _ = one_round(made, engine)
    engine.close()
    assert outcome.clients.tolist() == [0, 2] and (outcome.dropouts, outcome.stragglers) == (1, 0)
    (news,) = outcome.news
    assert (news["client"], news["kind"], news["why"]) == (1, "ArithmeticError", "a nan in a haystack")
    assert {c.purpose: c.participations for c in outcome.charges} == {"train": 2, "dropout": 1}


def test_rounds_in_which_everybody_fails_end_the_run_with_one_line():
    made, here = plan(), world(fail=range(6))
    with pytest.raises(RunError, match=r"nobody could train in 3 rounds in a row \(client \d: ArithmeticError: a nan"):
        whole_run(made, engine_of(made, here), here)


@pytest.mark.parametrize("plane", PLANES)
def test_a_model_that_is_evicted_costs_a_round_and_no_more(plane):
    """Inline the tasks hold their model, and nobody misses it."""
    made = plan(data_plane=PLANES[plane]())
    engine, round = engine_of(made), invitation(made)
    engine.start(round)
    made.data_plane.evict(round.model)
    (outcome,) = engine.finished()
    assert [n["kind"] for n in outcome.news] == ([] if plane == "inline" else ["missing"] * 3)
    assert outcome.clients.size + len(outcome.news) == 3
    outcome, rows, _ = one_round(made, engine)
    assert outcome.clients.size == 3 and np.abs(rows).max(axis=1).min() > 0
    engine.close()
    made.data_plane.close()


def test_an_update_that_is_evicted_ends_the_run_with_one_line():
    made = plan(data_plane=Shm())
    engine = engine_of(made)
    engine.start(invitation(made))
    with pytest.raises(RunError, match=r"^the update of client 1 is gone from the data plane: [^\n]*missing[^\n]*$"):
        for outcome in engine.finished():
            made.data_plane.evict(outcome.updates.arrivals[1].ref)
            outcome.updates.combine(np.full(3, 1 / 3))
    engine.close()
    made.data_plane.close()


def test_a_store_that_is_removed_ends_the_run_with_one_line_and_soon(tmp_path):
    made, here, began = plan(data_plane=Shm(str(tmp_path / "store"))), world(), time.monotonic()

    class Vandal:
        def look(self, standing, engine, *, over):
            shutil.rmtree(tmp_path / "store")

    engine = engine_of(made, here)
    with pytest.raises(HoraeError) as raised:
        federate(made, (here.trainer.initial_params, here.trainer.initial_buffers), engine, Notebook(), [Vandal()])
    assert "\n" not in str(raised.value) and time.monotonic() - began < 10
    engine.close()
    made.data_plane.close()
    usable = plan()
    assert one_round(usable, engine_of(usable))[0].clients.size == 3


def test_a_task_that_lasts_too_long_is_given_up_and_its_update_evicted():
    made, here = plan(data_plane=Shm()), world(sleep=[1], seconds=0.8)
    engine = engine_of(made, here, "thread", workers=3, timeout_s=0.3)
    engine.start(invitation(made, (1,), 1))
    for outcome in engine.finished():
        assert [(n["client"], n["kind"]) for n in outcome.news] == [(1, "timed out")]
    assert outcome.empty
    made.data_plane.evict(outcome.round.model)
    until = time.monotonic() + 5
    time.sleep(0.7)
    while made.data_plane.keys() and time.monotonic() < until:
        time.sleep(0.05)
    assert made.data_plane.keys() == []
    outcome, _, _ = one_round(made, engine, invited=(0, 2, 3))
    assert outcome.clients.size == 3
    engine.close()
    made.data_plane.close()


def test_who_is_late_is_a_straggler_and_leaves_nothing():
    made, here = plan(data_plane=Shm()), world()
    slow = world(sleep=[0], seconds=0.5)
    workers = {"pool": None}

    def pool():
        workers["pool"] = ThreadPoolExecutor(2)
        return workers["pool"]

    engine = Distributed(made, here, Site("thread", 2), Recipe("", ""), Pace(min_clients=1), Backend("thread", 2, pool))
    here.trainer.moods = slow.trainer.moods
    round = invitation(made, (0, 1), 1)
    engine.start(round)
    (built,) = [b for b in worker._lent.values() if b.world is here]
    built.busy = NoLock()  # one sleeps while the other trains
    (outcome,) = engine.finished()
    assert outcome.clients.tolist() == [1] and outcome.stragglers == 1
    assert {c.purpose: c.participations for c in outcome.charges} == {"train": 1, "straggler": 1}
    workers["pool"].shutdown(wait=True)
    engine.close()
    made.data_plane.evict(round.model)
    assert made.data_plane.keys() == []
    made.data_plane.close()


class NoLock:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def test_a_process_that_dies_is_one_clients_failure():
    """Client 1 ends the process that trains it; another process goes on with client 2, to the same bits as here."""
    made = plan(data_plane=Shm())
    engine = engine_of(made, None, "process", recipe(die=[1]), attempts=1)
    outcome, rows, _ = one_round(made, engine)
    engine.close()
    assert outcome.clients.tolist() == [0, 2]
    assert [(n["client"], n["kind"]) for n in outcome.news] == [(1, "worker lost")]
    simulated = plan()
    _, expected, _ = one_round(simulated, engine_of(simulated), invited=(0, 2))
    assert rows.tobytes() == expected.tobytes()
    made.data_plane.evict(outcome.round.model)
    assert made.data_plane.keys() == []
    made.data_plane.close()


def test_whatever_goes_wrong_at_an_endpoint_is_a_value_that_can_be_pickled():
    made = plan()
    engine = engine_of(made)
    engine.start(invitation(made))
    task = engine._post._waiting[0].task
    assert isinstance(work(task), Reply)
    for broken in (
        replace(task, payload=b"nonsense"),
        replace(task, recipe=Recipe("no.such:thing", "")),
        replace(task, recipe=Recipe("", "unknown")),
        replace(task, plane="shm:/dev/shm/nowhere"),
    ):
        answer = pickle.loads(pickle.dumps(work(broken)))
        assert isinstance(answer, ClientFailure) and answer.client == 0
        assert "\n" not in str(answer) and len(answer.why) <= 160
    assert len(pickle.dumps(replace(task, payload=b""))) < 5000  # the control message
    engine.close()


class Unpicklable(Exception):
    kind = "odd"

    def __reduce__(self):
        raise TypeError


def test_an_error_that_cannot_be_pickled_becomes_words():
    failure = ClientFailure.of(3, Unpicklable("two\nlines"))
    assert pickle.loads(pickle.dumps(failure)) == ClientFailure(3, "odd", "two lines")
    assert ClientFailure.of(3, PlaneError("missing", "k", "gone")).key == "k"


# ---------------------------------------------------------------- updates by name


def remote(rows, plane, dims=0, mask=None):
    arrivals = []
    for client, row in enumerate(rows):
        alone = Updates(row[None])
        sketch = alone.sketch(dims)[0] if dims else None
        arrivals.append(Arrival(client, plane.put({"update": row}, ROOT), float(alone.norms()[0]), sketch))
    return RemoteUpdates(tuple(arrivals), plane, rows.shape[1], (), mask)


@pytest.mark.parametrize("plane", PLANES)
def test_updates_by_name_answer_as_updates_in_memory(plane):
    rows = np.random.default_rng(0).normal(size=(4, 37)).astype(np.float32)
    held, near = PLANES[plane](), Updates(rows)
    far = remote(rows, held, dims=8)
    weights, ways = np.array([0.1, 0.2, 0.3, 0.4]), rows[:2] + 1
    assert len(far) == 4 and (far.rows == rows).all()
    for mine, theirs in (
        (far.combine(weights), near.combine(weights)), (far.norms(), near.norms()), (far.gram(), near.gram()),
        (far.sketch(8), near.sketch(8)), (far.sketch(5), near.sketch(5)), (far.sketch(99), near.sketch(99)),
        (far.along(ways), near.along(ways)), (far.columns(slice(30, 99)), near.columns(slice(30, 99))),
        (far.only(np.array([1, 0, 0, 1], bool)).rows, rows[[0, 3]]),
    ):  # fmt: skip
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    mask = np.arange(37) < 9
    hidden, shown = far.masked(mask), Updates(rows * mask)
    np.testing.assert_allclose(hidden.norms(), shown.norms(), rtol=1e-6)
    np.testing.assert_allclose(hidden.sketch(8), shown.sketch(8), atol=1e-6)
    held.close()


@pytest.mark.parametrize("names", [(), ("int8",), ("top_k", "int8"), ("clip_noise",)])
@pytest.mark.parametrize("submodel", [None, half])
def test_a_parcel_is_read_as_the_simulation_reads_it(names, submodel):
    channels = tuple(CHANNELS[name]() for name in names)
    update = np.random.default_rng(0).normal(size=6).astype(np.float32)
    small = update if submodel is None else submodel.gather(update)
    read, _ = send(channels, small, stream(0, "channel", 1), submodel)
    mine = opened(channels, parcel(channels, update, stream(0, "channel", 1), submodel), submodel)
    assert mine.tobytes() == (read if submodel is None else submodel.scatter(read)).tobytes()


@pytest.mark.parametrize("clients", [10, 50])
def test_the_controller_needs_three_models_however_many_endpoints_there_are(clients):
    """One million weights: 4 MB a model. Updates come one by one, so that the test itself holds none of them."""
    _peak_of(clients, 2**20)


@pytest.mark.slow
@pytest.mark.parametrize("clients", [10, 50])
def test_the_same_for_twenty_megabytes(clients):
    _peak_of(clients, 5 * 2**20)


@pytest.mark.slow
def test_a_whole_round_of_ten_and_of_fifty_endpoints_takes_the_controller_as_much():
    """Processes train a model of 5 million weights: the controller holds the old model, the sum, the new one."""
    peaks = []
    for clients in (10, 50):
        made, module = plan(data_plane=Shm(), participants=clients, budget=Budget(participations=clients)), wide()
        here = world(clients, module)
        engine = engine_of(made, here, "process", recipe(clients=clients, big=True), workers=2)
        start = (here.trainer.initial_params, here.trainer.initial_buffers)
        tracemalloc.start()
        notes = Notebook()
        federate(made, start, engine, notes)
        peaks.append(tracemalloc.get_traced_memory()[1] / (4 * here.trainer.n_params))
        tracemalloc.stop()
        assert notes.outcomes[0].clients.size == clients
        engine.close()
        assert made.data_plane.keys() == []
        made.data_plane.close()
    assert max(peaks) < 3.5 and abs(peaks[0] - peaks[1]) < 0.2, peaks


def _peak_of(clients, params):
    plane, arrivals = Shm(), []
    for client in range(clients):
        row = np.full(params, client, np.float32)
        arrivals.append(Arrival(client, plane.put({"update": row}, ROOT), 1.0, np.zeros(4, np.float32)))
    updates = RemoteUpdates(tuple(arrivals), plane, params)
    tracemalloc.start()
    total = updates.combine(np.full(clients, 1 / clients))
    updates.norms(), updates.sketch(4), updates.columns(slice(0, 1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total[0] == pytest.approx((clients - 1) / 2)
    assert peak < 3 * 4 * params
    plane.close()


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("name", ["scaffold", "ditto", "fedbuff"])
def test_algorithms_that_need_more_than_one_message_are_refused_by_name(name):
    with pytest.raises(ConfigError, match=rf"^algorithm should .*, got '{name}'; leave \[site\] away"):
        engine_of(plan(algorithm=ALGORITHMS[name]()))


def test_feedback_is_refused():
    with pytest.raises(ConfigError, match="channels should go without feedback"):
        engine_of(plan(channels=(CHANNELS["feedback"](), CHANNELS["int8"]())))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"executor": "proces"}, "did you mean 'process'"),
        ({"executor": "no.such:thing"}, "site.executor: cannot import"),
        ({"executor": "globus"}, "site.endpoint should be a UUID"),
        ({"workers": 0}, "site.workers should be in"),
        ({"timeout_s": 0.0}, "site.timeout_s should be in"),
        ({"attempts": 0}, "site.attempts should be in"),
    ],
)
def test_sites_that_cannot_be_are_refused_in_one_line(table, words):
    with pytest.raises(HoraeError, match=words) as raised:
        backend_of(Site(**table)).submit(None)
    assert "\n" not in str(raised.value)


def test_an_executor_of_ones_own_is_named_by_its_function():
    made = plan()
    engine = engine_of(made, executor="concurrent.futures:ThreadPoolExecutor", workers=2)
    outcome, _, _ = one_round(made, engine)
    engine.close()
    assert outcome.clients.tolist() == [0, 1, 2]
