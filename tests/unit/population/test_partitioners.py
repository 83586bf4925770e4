import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.errors import ConfigError
from horae.population.partitioners import Dirichlet, Exponential, Iid, Linear, NaturalId, Pathological, Shard, Square
from horae.population.partitioners.common import mended, quotas


def rng(seed=0):
    return np.random.default_rng(seed)


def labels_of(shared, labels):
    return [sorted(set(labels[shared.row(i)].tolist())) for i in range(len(shared))]


@pytest.mark.parametrize(
    ("cls", "sizes"),
    [
        (Iid, [6, 6, 6, 6]),
        (Linear, [3, 5, 7, 9]),  # one each, and 20 as 2, 4, 6, 8
        (Square, [2, 4, 7, 11]),  # one each, and 20 as 2/3, 8/3, 6, 32/3
        (Exponential, [2, 3, 6, 13]),  # one each, and 20 as .64, 1.74, 4.74, 12.88: 1, 2, 5, 13 less one
    ],
)
def test_sizes_by_hand(cls, sizes):
    found = cls().share(np.zeros(24, int), None, 4, rng()).sizes
    assert found.sum() == 24
    assert np.abs(found - sizes).max() <= 1


def test_linear_is_exact():
    assert Linear().share(np.zeros(24, int), None, 4, rng()).sizes.tolist() == [3, 5, 7, 9]


def test_exponential_does_not_overflow():
    sizes = Exponential().share(np.zeros(5000, int), None, 2000, rng()).sizes
    assert sizes[0] == 1
    assert sizes[-1] > 1800  # 1 - 1/e of 3000, and one


def test_deterministic_labels_follow_each_other():
    labels = np.repeat(np.arange(4), 8)
    shared = Pathological(2, "deterministic").share(labels, None, 4, rng())
    assert labels_of(shared, labels) == [[0, 1], [1, 2], [2, 3], [0, 3]]
    assert shared.sizes.tolist() == [8, 8, 8, 8]  # each label is halved


@pytest.mark.parametrize("seed", range(3))
def test_the_first_label_is_certain(seed):
    labels = np.repeat(np.arange(4), 8)
    shared = Pathological(2, "first-deterministic").share(labels, None, 8, rng(seed))
    found = labels_of(shared, labels)
    assert all(i % 4 in own and len(own) == 2 for i, own in enumerate(found))


def test_a_rare_label_serves_the_poorest_first():
    labels = np.array([0] * 30 + [1])
    shared = Pathological(2, "deterministic").share(labels, None, 3, rng())
    assert shared.sizes.sum() == 31
    assert (shared.sizes >= 10).all()


def test_shards_hold_few_labels():
    labels = np.repeat(np.arange(10), 20)
    shared = Shard(2).share(labels, None, 10, rng())
    assert all(len(own) <= 2 for own in labels_of(shared, labels))
    assert shared.sizes.tolist() == [20] * 10


def test_shards_of_a_size():
    labels = np.repeat(np.arange(5), 5)
    assert Shard(2, 3).share(labels, None, 4, rng()).sizes.tolist() == [6] * 4  # the 25th is left over
    assert sorted(Shard(0, 4).share(labels, None, 4, rng()).sizes.tolist()) == [4, 4, 8, 8]  # six shards
    assert Shard(0, 4, True).share(labels, None, 4, rng()).sizes.sum() == 25
    with pytest.raises(ConfigError, match="shard_size should make 8 shards"):
        Shard(2, 4).share(labels, None, 4, rng())


@given(alpha=st.floats(1e-3, 1e3), seed=st.integers(0, 50), balancing=st.booleans())
@settings(max_examples=60, deadline=2000, derandomize=True)
def test_dirichlet_leaves_everybody_enough(alpha, seed, balancing):
    labels = np.random.default_rng(seed).integers(0, 5, 200)
    shared = Dirichlet(alpha, 10, balancing).share(labels, None, 20, rng(seed))  # 10 each is all there is
    assert shared.sizes.tolist() == [10] * 20


def test_dirichlet_is_skewed_by_alpha():
    labels = np.arange(4000) % 10

    def far(alpha):
        shared = Dirichlet(alpha).share(labels, None, 20, rng())
        mixes = [np.bincount(labels[shared.row(i)], minlength=10) / shared.sizes[i] for i in range(20)]
        return 0.5 * np.abs(np.array(mixes) - 0.1).sum(axis=1).mean()

    assert far(0.05) > 0.7 > 0.3 > far(10.0)


def test_balancing_keeps_sizes_together():
    labels = np.arange(4000) % 10
    loose, close = (Dirichlet(0.3, 1, b).share(labels, None, 20, rng()).sizes for b in (False, True))
    assert close.max() < loose.max()


def test_owners_keep_what_is_theirs():
    owners = np.array([3, 1, 3, 9, 1])
    shared = NaturalId().share(np.zeros(5, int), owners, 0, rng())
    assert [shared.row(i).tolist() for i in range(3)] == [[1, 4], [0, 2], [3]]
    assert len(NaturalId().share(np.zeros(5, int), owners, 2, rng())) == 2


@pytest.mark.parametrize(
    ("partition", "clients", "words"),
    [
        (Iid(), 7, "population.clients should be in"),
        (Iid(), 0, "population.clients should be in"),
        (Dirichlet(), 2, "min_partition_size should be <= 3"),
        (Pathological(3), 2, "num_classes_per_partition should be <= 2"),
        (Pathological(1, "deterministic"), 6, "leave nobody without samples"),
        (NaturalId(), 0, "nobody owns these"),
        (Shard(4), 2, "num_shards_per_partition should make at most 6 shards"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(partition, clients, words):
    labels = np.array([0, 0, 0, 0, 0, 1])
    with pytest.raises(ConfigError, match=words) as error:
        partition.share(labels, None, clients, rng())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "fields", [{"alpha": 0.0}, {"alpha": float("inf")}, {"min_partition_size": 0}]
)  # fmt: skip
def test_silly_fields_are_refused(fields):
    with pytest.raises(ConfigError, match=f"population.partition.{next(iter(fields))}"):
        Dirichlet(**fields)


def test_quotas_sum_up_and_ties_go_by_lot():
    assert quotas(np.array([1.0, 1.0, 2.0]), 8, rng()).tolist() == [2, 2, 4]
    winners = {int(quotas(np.ones(3), 1, rng(seed)).argmax()) for seed in range(20)}
    assert winners == {0, 1, 2}


def test_the_poor_are_mended_from_the_rich():
    who = mended(np.array([0] * 8 + [1, 1]), 3, 2, rng())
    assert np.bincount(who).tolist() == [6, 2, 2]
