import dataclasses

import numpy as np
import pytest

from horae.errors import DataError
from horae.population import Population, Ragged
from horae.types import UNKNOWN


def two_clients(**changes):
    """Client 0 trains on labels 0, 0, 0, 1 and client 1 on 1, 1."""
    fields = dict(
        name="two",
        x=np.zeros((7, 2), np.float32),
        y=np.array([0, 0, 0, 1, 1, 1, 0]),
        train=Ragged.of([[0, 1, 2, 3], [4, 5]]),
        test=Ragged.of([[6], []]),
        groups=np.array([0, 1]),
        classes=2,
    )
    return Population(**{**fields, **changes})


def test_ragged_rows():
    rows = Ragged.of([[4, 2], [], [7]])
    assert len(rows) == 3
    assert rows.sizes.tolist() == [2, 0, 1]
    assert rows.owners.tolist() == [0, 0, 2]
    assert rows.row(0).tolist() == [4, 2] and rows.row(1).size == 0
    assert len(Ragged.of([])) == 0
    with pytest.raises(DataError, match="rise from 0 to 1"):
        Ragged(np.array([0, 2]), np.array([5]))


def test_facts_by_hand():
    facts = two_clients().facts()
    assert (facts["clients"], facts["classes"], facts["shape"]) == (2, 2, [2])
    assert (facts["train_samples"], facts["test_samples"]) == (6, 1)
    assert (facts["train_samples_min"], facts["train_samples_median"], facts["train_samples_max"]) == (2, 3.0, 4)
    assert facts["groups"] == {0: 1, 1: 1}
    # all: (1/2, 1/2); client 0: (3/4, 1/4), distance 1/4; client 1: (0, 1), distance 1/2
    assert facts["label_skew"] == pytest.approx(0.375)
    assert two_clients(groups=np.full(2, UNKNOWN)).facts()["groups"] == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.array([0, 0, 0, 2, 1, 1, 0])}, r"y should hold labels in \[0, 2\), got 0 to 2"),
        ({"y": np.zeros(6, np.int64)}, "y should have 7 labels"),
        ({"x": np.full((7, 2), np.nan, np.float32)}, "x should be finite"),
        ({"train": Ragged.of([[0], []])}, r"a sample for each client, got none for \[1\]; drop"),
        ({"train": Ragged.of([[0], [7]])}, r"train should hold rows in \[0, 7\), got 0 to 7"),
        ({"test": Ragged.of([[6]])}, "test should have 2 rows"),
        ({"groups": np.array([0])}, "groups should have 2 entries"),
        ({"train": Ragged.of([])}, "clients should number at least 1"),
    ],
)
def test_population_refuses(changes, message):
    with pytest.raises(DataError, match=message):
        two_clients(**changes)


def clients(*sizes, shape=(3,)):
    rng = np.random.default_rng(0)
    return [(rng.random((n, *shape)), rng.integers(3, size=n)) for n in sizes]


def test_from_arrays_splits_each_client():
    given = clients(10, 1, 2, 3)
    people = Population.from_arrays(given, groups=[0, 0, 1, 1])
    # a fifth, rounded: 2 of 10, 0 of 1, 0 of 2 (0.4), 1 of 3 (0.6)
    assert people.test.sizes.tolist() == [2, 0, 0, 1]
    assert people.train.sizes.tolist() == [8, 1, 2, 2]
    assert people.groups.tolist() == [0, 0, 1, 1]
    starts = [0, 10, 11, 13, 16]
    for i, (x, y) in enumerate(given):
        rows = np.sort(np.concatenate([people.train.row(i), people.test.row(i)]))
        assert rows.tolist() == list(range(starts[i], starts[i + 1]))
        np.testing.assert_array_equal(people.x[rows], x.astype(np.float32))
        np.testing.assert_array_equal(people.y[rows], y)


def test_from_arrays_keeps_a_training_sample_and_knows_no_groups():
    people = Population.from_arrays(clients(1, 2), test_fraction=0.9)
    assert people.train.sizes.tolist() == [1, 1]
    assert people.groups.tolist() == [UNKNOWN, UNKNOWN]
    assert Population.from_arrays(clients(5), test_fraction=0).test.sizes.tolist() == [0]


def test_from_arrays_depends_on_the_seed_alone():
    one, same, other = (Population.from_arrays(clients(50), seed=seed) for seed in (0, 0, 1))
    assert one.test.row(0).tolist() == same.test.row(0).tolist() != other.test.row(0).tolist()


X, Y = np.zeros((2, 3)), np.array([0, 1])


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ([], {}, "clients should number at least 1"),
        ([(X, Y[:1])], {}, r"clients\[0\] should have as many samples as labels, got 2 and 1"),
        (
            [(X, Y), (np.zeros((2, 4)), Y)],
            {},
            r"clients\[1\].x should have .* \(3,\) like client 0, got \(4,\)",
        ),
        ([(X, Y * 0.5)], {}, r"clients\[0\].y should be integer labels, got 1-d float64; map"),
        ([(X, Y - 1)], {}, r"y should hold labels in \[0, 1\), got -1 to 0"),
        ([(X, np.zeros((2, 2), int))], {}, r"clients\[0\] should be x \(n, ...\) and y \(n,\)"),
        ([(X[:0], Y[:0])], {}, r"clients\[0\] should hold a sample"),
        ([(np.full((2, 3), np.inf), Y)], {}, "x should be finite"),
        ([(["a", "b"], Y)], {}, r"clients\[0\] should be arrays of numbers"),
        ([X], {}, r"clients\[0\] should be a pair \(x, y\), got ndarray"),
        ([(X * 1e300 + 1e300, Y)], {}, "x should be finite"),  # too large for float32
        ([(np.zeros(2), Y)], {}, r"x should hold samples of one number at least, got \(\); reshape it"),
        ([(np.zeros((2, 0)), Y)], {}, r"x should hold samples of one number at least, got \(0,\); reshape it"),
        ([(X, Y * 10**6)], {}, "y should hold at most 100,000 labels, got 1000001; renumber"),
        ([(X, Y)], {"groups": [-2]}, "groups should be >= 0, or -1 where unknown, got -2 to -2"),
        ([(X, Y)], {"groups": [0, 1]}, "groups should have 1 entries, one per client, got 2"),
        ([(X, Y)], {"groups": ["a"]}, "groups should be a list of integers"),
        ([(X, Y)], {"test_fraction": 1.0}, r"test_fraction should be in \[0, 1\), got 1.0"),
        ([(X, Y)], {"test_fraction": -0.1}, "test_fraction"),
    ],
)
def test_from_arrays_refuses(given, options, message):
    with pytest.raises(DataError, match=message):
        Population.from_arrays(given, **options)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        two_clients().name = "other"
