"""The method: which rule it applies, to whom, and what it tells the client."""

import json

import numpy as np
import pytest
from alignment_cases import cases, labels_of
from hypothesis import given
from hypothesis import strategies as st

from horae.alignment import ALIGNMENT, Halor, explained
from horae.alignment.common import distance, shares
from horae.alignment.exact import exact_counts
from horae.errors import ConfigError
from horae.pure.streams import stream

MODES = ("exact", "waterfill", "weight")
LABELS = np.repeat([0, 1], [30, 10])  # 3 to 1, of a population that has 1 to 1 and as much again of a third label
TARGET = np.array([0.25, 0.25, 0.5])


def rng():
    return np.random.default_rng(0)


def test_its_name_in_experiment_files_and_its_default():
    assert ALIGNMENT["halor"] is Halor
    assert Halor().mode == "weight"


def test_exact_by_hand():
    view = Halor("exact").arrange(LABELS, TARGET, rng())
    assert view.counts(LABELS, 3).tolist() == [10, 10, 0]
    assert view.weights is None


@pytest.mark.parametrize(
    ("rho", "batch", "counts"),
    [
        (0.5, 1, [10, 10, 0]),  # half of 40, as many as exact keeps
        (0.2, 1, [10, 10, 0]),  # never fewer than exact keeps
        (0.7, 1, [18, 10, 0]),
        (0.51, 1, [11, 10, 0]),  # 20.4, rounded up
        (0.0, 32, [22, 10, 0]),
        (0.0, 99, [30, 10, 0]),
    ],
)
def test_waterfill_by_hand(rho, batch, counts):
    assert Halor("waterfill", rho=rho, batch=batch).arrange(LABELS, TARGET, rng()).counts(LABELS, 3).tolist() == counts


def test_waterfill_may_repeat_samples():
    view = Halor("waterfill", kappa=2.0, rho=1.0).arrange(LABELS, TARGET, rng())
    assert view.counts(LABELS, 3).tolist() == [20, 20, 0]
    assert np.bincount(view.index)[30:].tolist() == [2] * 10


def test_weight_by_hand():
    view = Halor().arrange(LABELS, TARGET, rng())
    assert view.index is None
    np.testing.assert_allclose(view.weights, [2 / 3] * 30 + [2.0] * 10)
    np.testing.assert_allclose(view.mass(LABELS, 3), [20, 20, 0])


@given(cases(), st.sampled_from(MODES))
def test_a_view_is_never_empty_and_holds_only_own_samples(case, mode):
    counts, target = case
    labels = labels_of(counts)
    view = Halor(mode).arrange(labels, target, rng())
    assert view.counts(labels, counts.size).sum() > 0
    if view.index is not None:
        assert view.index.min() >= 0 and view.index.max() < labels.size
    if view.weights is not None:
        assert view.weights.shape == labels.shape
        assert view.weights.mean() == pytest.approx(1)
        assert (view.weights >= 0).all()


@given(cases())
def test_waterfill_keeps_no_fewer_than_exact_and_is_no_further_than_raw_but_for_rounding(case):
    counts, target = case
    labels = labels_of(counts)
    after = Halor("waterfill", batch=1).arrange(labels, target, rng()).counts(labels, counts.size)
    assert after.sum() >= exact_counts(counts, target).sum()
    raw = distance(shares(counts), target)
    assert distance(shares(after), target) <= raw + counts.size / (2 * after.sum()) + 1e-9


@pytest.mark.parametrize("mode", MODES)
def test_a_client_with_nothing_that_is_asked_for_keeps_what_it_has(mode):
    for labels in (np.zeros(4, np.int64), np.zeros(0, np.int64)):
        view = Halor(mode).arrange(labels, np.array([0.0, 1.0]), rng())
        assert view.index is None and view.weights is None


@pytest.mark.parametrize("mode", MODES)
def test_a_client_of_one_label_keeps_its_samples_alike(mode):
    labels = np.full(12, 2)
    view = Halor(mode, rho=1.0).arrange(labels, TARGET, rng())
    assert view.mass(labels, 3).tolist() == [0, 0, 12]


@pytest.mark.parametrize("mode", ["exact", "waterfill"])
def test_a_fresh_subset_for_every_use_and_the_same_for_the_same_stream(mode):
    first, again, later = (Halor(mode).arrange(LABELS, TARGET, stream(0, "alignment", n, 5)) for n in (1, 1, 2))
    np.testing.assert_array_equal(first.index, again.index)
    assert not np.array_equal(first.index, later.index)
    np.testing.assert_array_equal(first.counts(LABELS, 3), later.counts(LABELS, 3))


@pytest.mark.parametrize(
    ("field", "value"),
    [("cap", 0.5), ("cap", 1e7), ("kappa", 0.9), ("kappa", 101.0), ("rho", -0.1), ("rho", 1.1), ("batch", 0)],
)
def test_numbers_out_of_range_are_refused_in_a_line(field, value):
    with pytest.raises(ConfigError, match=f"alignment.{field} should be"):
        Halor(**{field: value})


def test_what_a_client_is_told():
    told = explained(Halor("exact"), LABELS, TARGET, rng())
    assert told == json.loads(json.dumps(told))
    assert (told["samples"], told["samples_after"], told["unfixable"]) == (40, 20, 0.5)
    assert (told["distance_before"], told["distance_after"]) == (0.5, 0.5)  # ½ (.5 + 0 + .5), ½ (.25 + .25 + .5)
    first = {"label": 0, "samples": 30, "share": 0.75, "target": 0.25}
    assert told["labels"][0] == first | {"samples_after": 10, "weight_after": 1.0, "share_after": 0.5}
    missing = {"label": 2, "samples": 0, "share": 0.0, "target": 0.5}
    assert told["labels"][2] == missing | {"samples_after": 0, "weight_after": None, "share_after": 0.0}


def test_what_a_client_is_told_of_weights():
    told = explained(Halor(), LABELS, np.array([0.5, 0.5]), rng())
    assert [row["weight_after"] for row in told["labels"]] == pytest.approx([2 / 3, 2.0])
    assert [row["share_after"] for row in told["labels"]] == pytest.approx([0.5, 0.5])
    assert (told["distance_before"], told["samples_after"]) == (0.25, 40)
    assert told["distance_after"] == pytest.approx(0)


def test_what_a_client_without_samples_is_told():
    told = explained(Halor(), np.zeros(0, np.int64), TARGET, rng())
    assert (told["samples"], told["distance_before"], told["distance_after"], told["unfixable"]) == (0, 1.0, 1.0, 1.0)
