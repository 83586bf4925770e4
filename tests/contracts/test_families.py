"""What every member of a family promises, for each registered member. A new member is tested by being registered."""

import dataclasses
import pickle

import numpy as np
import pytest

from horae.engines.costs import COSTS, Job
from horae.engines.wire import send, wire_nbytes
from horae.experiment import FAMILIES, component
from horae.families import plain
from horae.pure.packing import pack, unpack
from horae.pure.tree import ROOT, Cohort, CohortTree
from horae.settings import convert
from horae.types import Capacity, Outcome, Records, Ref, Round, Updates

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


@each("pruning")
def test_a_submodel_is_honest_about_what_it_keeps(cls):
    pruning = cls()
    state = pruning.init(np.ones(PARAMS, np.float32), 0)
    submodel = pruning.plan(state, ROOT, 0)
    if submodel is not None:
        full = np.arange(PARAMS, dtype=np.float32)
        np.testing.assert_array_equal(submodel.scatter(submodel.gather(full)), np.where(submodel.keep, full, 0))
    unpack(pack(pruning.learn(state, outcome(np.ones((3, PARAMS))))))


@each("alignment")
def test_an_arrangement_points_at_own_samples(cls):
    labels = np.array([0, 0, 0, 1, 2, 2])
    arranged = cls().arrange(labels, np.random.default_rng(0))
    if arranged is not None:
        assert ((arranged >= 0) & (arranged < 6)).all()
        np.testing.assert_array_equal(arranged, cls().arrange(labels, np.random.default_rng(0)))


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
    plane, params = cls(), np.arange(5, dtype=np.float32)
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
