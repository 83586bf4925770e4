"""What every member of a family promises, for each registered member. A new member is tested by being registered."""

import dataclasses
import pickle

import numpy as np
import pytest

from horae.data_planes import attach
from horae.engines.costs import COSTS, Job
from horae.engines.wire import send, wire_nbytes
from horae.errors import PlaneError
from horae.experiment import FAMILIES, component
from horae.families import plain
from horae.pure.anatomy import Anatomy, Group, Slab, Tensor
from horae.pure.packing import pack, unpack
from horae.pure.tree import ROOT, Cohort, CohortTree
from horae.settings import convert
from horae.types import (
    Capacity,
    Count,
    Exploration,
    Explore,
    Layers,
    Outcome,
    Practice,
    Practise,
    Records,
    Ref,
    Round,
    Speeds,
    Uneven,
    Updates,
)

PARAMS = 12


def each(family):
    return pytest.mark.parametrize("cls", [pytest.param(cls, id=name) for name, cls in FAMILIES[family].items()])


def outcome(rows, clients=None, path=ROOT):
    q = len(rows)
    clients = np.arange(q) if clients is None else np.asarray(clients)
    round_ = Round(path, 0, Ref("m", 0), clients, q, 1e9, np.full(q, np.nan), np.zeros(q, bool))
    return Outcome(
        round_, 0.0, 1.0, clients, Updates(np.asarray(rows, np.float32)), np.zeros(0, np.float32), np.arange(1, q + 1),
        np.ones(q), np.ones(q), round_.claims, round_.exploring,
    )  # fmt: skip


def tree(cls=None):
    state = cls().init() if cls else None
    return CohortTree({ROOT: Cohort(ROOT, np.zeros(PARAMS, np.float32), np.zeros(0, np.float32), clustering=state)})


def no_records(n):
    empty = np.zeros((n, 0))
    return Records(np.arange(n), (), empty, empty.astype(int), empty.astype(int), empty.astype(bool), np.arange(n) % 2)


@pytest.mark.parametrize(("family", "name"), [(f, n) for f, members in FAMILIES.items() for n in members])
def test_members_are_values_with_defaults_documented_and_sourced(family, name):
    cls = FAMILIES[family][name]
    member = component(family, {"name": name})
    assert dataclasses.is_dataclass(member)
    assert cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")
    assert pickle.loads(pickle.dumps(member)) == member
    if family != "data_plane":
        assert hash(member) == hash(cls())
    assert component(family, {"name": name, **plain(member)}) == member


@each("algorithm")
def test_equal_updates_aggregate_to_that_update(cls):
    algorithm, start = cls(), np.linspace(-1, 1, PARAMS).astype(np.float32)
    same = outcome(np.tile(np.linspace(1, 2, PARAMS), (5, 1)))
    weights = algorithm.weigh(same)
    assert weights.shape == (5,)
    assert (weights >= 0).all()
    direction = same.updates.combine(weights / weights.sum())
    np.testing.assert_allclose(direction, np.linspace(1, 2, PARAMS), rtol=1e-6)
    params, state = algorithm.step(algorithm.init(start), start, direction, same)
    assert params.dtype == np.float32
    assert (np.sign(params - start) == np.sign(direction)).all()
    unpack(pack(state))


@each("aggregation")
def test_a_rule_keeps_what_all_agree_on_whatever_their_order(cls):
    rng, same = np.random.default_rng(0), np.tile(np.linspace(1, 2, PARAMS), (7, 1)).astype(np.float32)
    rule, shares = cls(), np.full(7, 1 / 7)
    noisy = rule.__class__.__name__ == "CentralDP"
    if not noisy:
        direction = rule.combine(Updates(same), shares, np.random.default_rng(0))
        np.testing.assert_allclose(direction, same[0], rtol=1e-5)
        rows = rng.normal(size=(7, PARAMS)).astype(np.float32)
        order = rng.permutation(7)
        one, other = (rule.combine(Updates(r), shares, np.random.default_rng(0)) for r in (rows, rows[order]))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    again = [rule.combine(Updates(same), shares, np.random.default_rng(3)) for _ in range(2)]
    assert again[0].dtype == np.float32
    np.testing.assert_array_equal(again[0], again[1])


@each("algorithm")
def test_no_direction_no_step(cls):
    algorithm, start = cls(), np.ones(PARAMS, np.float32)
    params, _ = algorithm.step(
        algorithm.init(start), start, np.zeros(PARAMS, np.float32), outcome(np.zeros((2, PARAMS)))
    )
    np.testing.assert_array_equal(params, start)


@each("selector")
@pytest.mark.parametrize(("there", "wanted"), [(0, 5), (3, 5), (20, 5), (20, 0)])
def test_a_selection_is_distinct_repeatable_and_small_enough(cls, there, wanted):
    selector, candidates = cls(), np.arange(there) * 7
    picks = [selector.pick(selector.init(), candidates, wanted, 0.0, np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(*picks)
    assert picks[0].size == min(there, wanted)
    assert np.unique(picks[0]).size == picks[0].size
    assert np.isin(picks[0], candidates).all()
    assert selector.offers(wanted) >= wanted


@each("clustering")
def test_a_clustering_serves_everybody_and_shares_everything(cls):
    clustering = cls()
    grown = tree(cls).split(ROOT, 3, clustering.init()).split((1,), 2, clustering.init())
    for n in (0, 1, 7, 30, 101):
        quota = clustering.quota(grown, n)
        assert sum(quota.values()) == n
        assert set(quota) == set(grown.paths())
        assert max(quota.values()) - min(quota.values()) <= 1
    assert set(clustering.ready(grown, frozenset({(0,)}))) <= {(1, 0), (1, 1), (2,)}
    for explore in (True, False):
        wishes = clustering.request(no_records(9), grown, 0, explore=explore)
        assert ((wishes.choice >= 0) & (wishes.choice < len(wishes.paths))).all()
        part = clustering.request(no_records(4), grown, 0, explore=explore)
        np.testing.assert_array_equal(wishes.choice[:4], part.choice)  # whoever else is asked


@each("clustering")
def test_permuting_clients_permutes_what_is_learnt(cls):
    clustering, rng = cls(), np.random.default_rng(0)
    rows, order = rng.normal(size=(12, PARAMS)).astype(np.float32), rng.permutation(12)
    clients = np.arange(12) * 3
    heard = [
        clustering.learn(clustering.init(), outcome(rows[o], clients[o]), tree(cls))[1] for o in (np.arange(12), order)
    ]
    if heard[0] is not None:
        np.testing.assert_array_equal(heard[0].clients[order], heard[1].clients)
        np.testing.assert_array_equal(heard[0].cluster[order], heard[1].cluster)
        np.testing.assert_allclose(heard[0].reward[order], heard[1].reward)


@each("clustering")
def test_an_empty_round_teaches_nothing(cls):
    clustering = cls()
    _, feedback = clustering.learn(clustering.init(), outcome(np.zeros((0, PARAMS))), tree(cls))
    assert feedback is None


# A perceptron 2 -> 4 -> 4 -> 3: weights 0-7 and 12-27 may be pruned; the second layer's are units of both groups.
OWN = np.arange(4)
DEEP = Anatomy(
    (
        Tensor("1.weight", (4, 2), 0, "weight", 16),
        Tensor("1.bias", (4,), 8, "bias"),
        Tensor("3.weight", (4, 4), 12, "weight", 32),
        Tensor("3.bias", (4,), 28, "bias"),
        Tensor("5.weight", (3, 4), 32, "classifier", 24),
        Tensor("5.bias", (3,), 44, "bias"),
    ),
    (),
    (
        Group("1", 4, (Slab(0, 0, OWN), Slab(1, 0, OWN), Slab(2, 1, OWN))),
        Group("3", 4, (Slab(2, 0, OWN), Slab(3, 0, OWN), Slab(4, 1, OWN))),
    ),
)
W0 = np.random.default_rng(0).normal(size=DEEP.n_params).astype(np.float32)
NO_BUFFERS = np.zeros(0, np.float32)
SPARSE = {"threshold": 0.5}  # where there is such a field


class Explorers:
    """Answers whatever a pruning asks, by the question alone, and counts what clients were asked to do."""

    def __init__(self):
        self.asked = 0

    def __call__(self, work, *, charge=True):
        if isinstance(work, Layers):
            return DEEP
        if isinstance(work, Speeds):
            ids = np.arange(40) if work.clients is None else work.clients
            return Capacity(10.0 + ids * 7 % 40, np.full(ids.size, 100.0))
        self.asked += 1
        assert charge
        rng = np.random.default_rng(work.number)
        if isinstance(work, Practise):
            row = rng.normal(size=(1, W0.size)).astype(np.float32)
            return Practice(np.array([3]), Updates(row), np.array([20]), np.ones(1))
        assert isinstance(work, Explore)
        d = rng.normal(size=(3, W0.size))
        sums = {"square": np.square(d), "signed": d, "absolute": np.abs(d)}
        each = np.square(d).astype(np.float32) if work.each else None
        told = {name: sums[name].sum(axis=0) for name in work.sums}
        return Exploration(np.arange(3), told, np.ones(3, int), np.ones(3), work.lr or 0.1, each)


def pruner(cls, **fields):
    names = {field.name for field in dataclasses.fields(cls)}
    return cls(**{name: value for name, value in {**SPARSE, "every": 2, **fields}.items() if name in names})


def begun(pruning, seed=0):
    before = W0.copy()
    params, state = pruning.begin(W0, NO_BUFFERS, seed, Explorers())
    np.testing.assert_array_equal(W0, before)  # the first model is everybody's
    return params, state


def trained(number, clients=(0, 1, 2)):
    ended = outcome(np.ones((len(clients), W0.size)), clients)
    return dataclasses.replace(ended, round=dataclasses.replace(ended.round, number=number))


def lives(pruning, state, clients=range(40)):
    """Each client's weights, `(clients, params)`; all where there is no mask."""
    held = pruning.plan(state, 0, np.array(clients), Explorers())
    if held is None:
        return np.ones((len(clients), W0.size), bool)
    return np.array([held.submodels[i].keep for i in held.of(len(clients))])


@each("pruning")
def test_what_nobody_trains_is_zero_and_whoever_is_asked_with_holds_the_same(cls):
    pruning = pruner(cls)
    params, state = begun(pruning)
    each = lives(pruning, state)
    assert not params[~each.any(axis=0)].any()
    np.testing.assert_array_equal(lives(pruning, state, [31, 4]), each[[31, 4]])
    assert (~each & ~(np.isin(np.arange(W0.size), [*range(8), *range(12, 28)]))).any() == (
        cls.__name__ in ("Slim", "HeteroFL")  # biases and the last layer go with whole units alone
    )
    if isinstance(pruning, Uneven):
        assert pruning.uneven and len(np.unique(each, axis=0)) > 1
    else:
        assert (each == each[0]).all()
    held = pruning.plan(state, 0, np.arange(40), Explorers())
    for submodel in () if held is None else held.submodels:
        full = np.arange(W0.size, dtype=np.float32)
        np.testing.assert_array_equal(submodel.scatter(submodel.gather(full)), np.where(submodel.keep, full, 0))
        assert DEEP.living(DEEP.alive(submodel.keep))[submodel.keep].all()
        assert all(DEEP.alive(submodel.keep)[DEEP.units_of(g)].any() for g in range(2))


@each("pruning")
def test_half_of_the_weights_is_half_of_the_weights(cls):
    if "threshold" not in {field.name for field in dataclasses.fields(cls)}:
        pytest.skip("it drops no share of weights")
    gone = ~lives(pruner(cls), begun(pruner(cls))[1])[0]
    if cls.__name__ == "Slim":  # of 47 weights 35 would be left; 3 units of 4 leave 33, all 47
        assert np.count_nonzero(gone) == 14
    else:
        assert np.count_nonzero(gone) == 12


@each("pruning")
@pytest.mark.parametrize("frozen", [True, False])
def test_a_pruning_goes_on_from_its_packed_state_and_holds_still_while_it_is_frozen(cls, frozen):
    pruning, ask = pruner(cls, schedule="refresh"), Explorers()
    params, state = begun(pruning)
    first = lives(pruning, state)
    for number in range(4):
        moved = params + np.linspace(-1, 1, W0.size, dtype=np.float32)
        before = moved.copy()
        again = pruning.learn(unpack(pack(state)), moved, trained(number), Explorers(), frozen=frozen)
        params, state = pruning.learn(state, moved, trained(number), ask, frozen=frozen)
        np.testing.assert_array_equal(moved, before)
        np.testing.assert_array_equal(params, again[0])
        assert pack(again[1]) == pack(state)
        each = lives(pruning, state)
        assert params.dtype == np.float32 and not params[~each.any(axis=0)].any()
        assert not frozen or (each == first).all()
    changing = cls.__name__ in ("AutoFlip", "PruneFL", "FedDst")
    assert ask.asked == (2 if changing and not frozen else 0)  # every second of four rounds
    np.testing.assert_array_equal(each.sum(axis=1), first.sum(axis=1))


@each("pruning")
def test_the_same_seed_gives_the_same_masks(cls):
    pruning = pruner(cls)
    one, two = (lives(pruning, begun(pruning, 5)[1]) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@each("alignment")
def test_an_arrangement_points_at_own_samples(cls):
    labels = np.array([0, 0, 0, 1, 2, 2])
    alignment, target = cls(), np.array([0.2, 0.5, 0.3])
    one, two = (alignment.arrange(labels, target, np.random.default_rng(0)) for _ in range(2))
    view = np.arange(6) if one.index is None else one.index
    assert ((view >= 0) & (view < 6)).all() and view.size
    np.testing.assert_array_equal(view, np.arange(6) if two.index is None else two.index)
    assert one.weights is None or (np.isclose(one.weights.mean(), 1) and one.weights.size == view.size)


@each("alignment")
def test_before_anybody_is_counted_there_is_no_target_and_states_can_be_packed(cls):
    alignment = cls()
    state = alignment.begin(0)
    assert alignment.target(state, (0, 1)) is None
    unpack(pack(state))


@each("alignment")
def test_a_census_of_nobody_teaches_nothing(cls):
    def ask(work, *, charge=True):
        nothing = np.zeros(0, int)
        return Count(nothing, np.zeros((0, 3), int), nothing)

    alignment = cls()
    state, news = alignment.learn(alignment.begin(0), outcome(np.ones((3, PARAMS))), CohortTree({}), ask)
    assert alignment.target(state, ROOT) is None and news == ()


@each("channels")
@pytest.mark.parametrize("n", [1, PARAMS])
def test_a_channel_hands_back_as_many_weights_and_its_bytes_are_known_before(cls, n):
    update = np.random.default_rng(0).normal(size=n).astype(np.float32)
    read, nbytes = send((cls(),), update, np.random.default_rng(1))
    assert read.shape == update.shape
    assert read.dtype == np.float32
    assert nbytes == wire_nbytes((cls(),), n)


@each("data_plane")
def test_a_plane_keeps_what_it_was_given_until_told_otherwise(cls):
    if cls.__name__ == "ProxyStore":
        pytest.importorskip("proxystore")
    plane, params = cls(), np.arange(5, dtype=np.float32)
    try:
        first, second = plane.put({"params": params}, ROOT), plane.put({"params": params + 1}, (0,))
        assert first.key != second.key
        assert first.nbytes == 20
        np.testing.assert_array_equal(plane.get(second)["params"], params + 1)
        with pytest.raises(ValueError, match="read-only"):
            plane.get(first)["params"][0] = 9
        params[0] = 0  # the caller's own array stays writable
        plane.evict(first)
        plane.evict(first)
        assert plane.stats()["objects"] == 1
        assert plane.keys() == [second.key]
        with pytest.raises(PlaneError) as refused:
            plane.get(first, timeout_s=1.0)
        assert pickle.loads(pickle.dumps(refused.value)).kind == "missing"  # it must cross an executor
    finally:
        plane.close()
    assert plane.stats()["objects"] == 0


@each("data_plane")
def test_a_plane_takes_what_a_worker_puts_under_a_reserved_key(cls):
    if cls.__name__ == "ProxyStore":
        pytest.importorskip("proxystore")
    plane = cls()
    try:
        keys = [plane.reserve((0, 1), "update", lease_s) for lease_s in (0.0, 60.0)]
        worker = attach(plane.address)
        refs = [worker.put_as(key, {"w": np.full(3, i), "mask": np.array([True])}) for i, key in enumerate(keys)]
        assert [ref.key for ref in refs] == keys == plane.keys()
        np.testing.assert_array_equal(plane.get(refs[1])["w"], [1, 1, 1])
        assert plane.get(refs[1])["mask"].dtype == bool
        assert plane.sweep() == 1  # the first lease has run out
        plane.evict(keys[1])  # its worker is thought dead, but is only late
        worker.put_as(keys[1], {"w": np.ones(3)})
        assert plane.keys() == [keys[1]]
        assert plane.sweep() == 1
        assert plane.keys() == []
    finally:
        plane.close()


@each("devices")
def test_a_device_depends_on_its_id_alone(cls):
    some, all_ = (cls().capacity(ids, 5) for ids in (np.array([7, 3]), np.arange(10)))
    for field in ("ms_per_sample", "kbps"):
        np.testing.assert_array_equal(getattr(some, field), getattr(all_, field)[[7, 3]])
        assert (getattr(all_, field) > 0).all()


@each("availability")
def test_online_until_is_what_online_says(cls):
    hours, ids = cls(), np.arange(300)
    for at_s in (0.0, 12_345.6, 90_000.0):
        there = ids[hours.online(ids, at_s, 1)]
        until = hours.until(there, at_s, 1)
        assert (until > at_s).all()
        for share in (0.25, 0.99):
            then = at_s + share * np.minimum(until - at_s, 1e6)
            assert all(hours.online(there[i : i + 1], float(then[i]), 1)[0] for i in range(there.size))
        np.testing.assert_array_equal(hours.online(ids[::-1], at_s, 1)[::-1], hours.online(ids, at_s, 1))


@each("population")
def test_a_population_is_the_same_for_the_same_seed_and_tests_on_what_it_never_trains_on(cls):
    if cls().missing(None):
        pytest.skip("its data are not embedded; see docs/data.md")
    one, two, other = (cls(clients=30).build(seed, None) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.x, two.x)
    assert one.clients == 30

    def rows(held):
        return [held.row(i).tolist() for i in range(30)]

    assert rows(one.train) == rows(two.train) != rows(other.train)
    assert not {row for own in rows(one.train) for row in own} & {row for own in rows(one.test) for row in own}
    sizes = one.train.sizes_of(np.array([3, 0, 29]))
    assert sizes.tolist() == [len(rows(one.train)[i]) for i in (3, 0, 29)]
    assert one.train.most == max(map(len, rows(one.train)))
    assert set(one.planted) == set(one.labels) - {-1} >= set(one.groups[np.arange(30)]) - {-1}


@pytest.mark.parametrize("cls", COSTS.values(), ids=COSTS.keys())
def test_more_work_and_a_slower_line_take_longer(cls):
    small = Job(np.array([10, 10]), 10, 10**6, 1000, 1000)
    more = dataclasses.replace(small, n_samples=np.array([20, 20]), planned=20)
    slow, fast = (
        Capacity(np.array([100.0, 200.0]), np.array([50.0, 50.0])),
        Capacity(np.array([100.0, 200.0]), np.array([500.0, 500.0])),
    )
    assert (cls().seconds(more, slow) > cls().seconds(small, slow)).all()
    assert (cls().seconds(small, slow) > cls().seconds(small, fast)).all()
    times = cls().seconds(small, slow)
    assert times[1] > times[0]


def test_convert_knows_its_types():
    assert convert(3, float, "x") == 3.0
    assert convert([1, 2], tuple[int, ...], "x") == (1, 2)
