"""A view: which samples, and how much each counts."""

import numpy as np

from horae.types.arrangement import Arrangement

LABELS = np.array([2, 0, 2, 2])


def test_everything_as_it_is():
    assert Arrangement().counts(LABELS, 4).tolist() == [1, 0, 3, 0]
    assert Arrangement().mass(LABELS, 4).tolist() == [1.0, 0.0, 3.0, 0.0]


def test_a_view_counts_what_it_holds_repeats_and_all():
    view = Arrangement(np.array([1, 1, 3]))
    assert view.counts(LABELS, 3).tolist() == [2, 0, 1]
    assert view.counts(LABELS, 3).dtype == np.int64


def test_weights_belong_to_the_view_not_to_the_samples():
    view = Arrangement(np.array([1, 3]), np.array([0.5, 1.5]))
    assert view.mass(LABELS, 3).tolist() == [0.5, 0.0, 1.5]
    assert view.counts(LABELS, 3).tolist() == [1, 0, 1]


def test_an_empty_view():
    view = Arrangement(np.zeros(0, np.int64))
    assert view.counts(LABELS, 3).tolist() == [0, 0, 0]
    assert view.mass(LABELS, 3).tolist() == [0.0, 0.0, 0.0]
