import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.pure.clusters import kmeans, nearest
from horae.pure.splitting import (
    Rule,
    _least_separate_pair,
    best_partition,
    held_out_separation,
    heterogeneity_ratio,
)


def heaps(sizes, gap, dims=20, seed=0):
    """Groups on orthogonal axes, `gap` standard deviations from the origin."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return rng.normal(size=(labels.size, dims)) + gap * np.eye(dims)[labels], labels


def separation(x, centres):
    """The statistic on a line, centres given."""
    return _least_separate_pair(np.asarray(x, float)[:, None], np.asarray(centres, float)[:, None])


def test_explained_by_hand():
    # means 1 and 7: between 6² / 4 = 9; both variances 1: 9 / 10
    assert separation([0, 2, 6, 8], [1, 7]) == pytest.approx(0.9)
    # heaps count equally, whatever their sizes
    assert separation([0, 2] * 50 + [6, 8], [1, 7]) == pytest.approx(0.9)
    # of three pairs the least separate counts: {6, 8} and {10, 12} with gap 4: 4 / 5
    assert separation([0, 2, 6, 8, 10, 12], [1, 7, 11]) == pytest.approx(0.8)
    assert np.isnan(separation([0, 6, 8], [1, 7]))  # nobody splits on a single client
    assert separation([0, 8, 0, 8], [0, 8]) == 1.0  # nothing inside


def test_a_gaussian_cut_in_half_explains_two_over_pi():
    x = np.random.default_rng(0).normal(size=200_000)
    assert separation(x, [-0.8, 0.8]) == pytest.approx(2 / np.pi, abs=0.003)


def test_planted_groups_are_found_and_counted():
    x, labels = heaps((40, 30, 20, 15), gap=8)
    found = best_partition(x, Rule(), 5, np.random.default_rng(0))
    assert found.k == 4
    assert found.statistic > 0.9
    assert len({(a, b) for a, b in zip(found.labels.tolist(), labels.tolist(), strict=True)}) == 4


def test_one_cloud_is_left_whole():
    worst = 0.0
    for seed in range(10):
        x = np.random.default_rng(seed).normal(size=(60, 20)) * np.linspace(3, 0.1, 20)
        worst = max(worst, best_partition(x, Rule(), 5, np.random.default_rng(seed)).statistic)
    assert worst < Rule().limit(60)


def test_a_group_below_the_minimum_is_not_split_off():
    x, _ = heaps((60, 5), gap=8)
    assert best_partition(x, Rule(), 5, np.random.default_rng(0)).k == 1
    assert best_partition(x, Rule(min_members=4), 5, np.random.default_rng(0)).k == 2


def test_a_continuum_is_left_whole():
    # clients on a ring are as separable in six arcs as in three: nothing says which
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 150)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert best_partition(x, Rule(), 8, np.random.default_rng(0)).k == 1


def test_more_groups_than_allowed_are_joined():
    x, labels = heaps((25,) * 6, gap=9)
    assert best_partition(x, Rule(), 8, np.random.default_rng(0)).k == 6
    found = best_partition(x, Rule(), 3, np.random.default_rng(0))
    assert found.k == 3
    assert all(np.unique(found.labels[labels == g]).size == 1 for g in range(6))  # no group is cut


def test_small_cohorts_need_more_evidence():
    assert Rule().limit(20) == pytest.approx(0.88)
    assert Rule().limit(200) == pytest.approx(0.79)


def test_the_same_generator_gives_the_same_answer():
    x, _ = heaps((20, 20), gap=3)
    first, second = (held_out_separation(x, 2, np.random.default_rng(5)) for _ in range(2))
    assert first == second


def test_nearest_breaks_ties_towards_the_first():
    assert nearest(np.array([[0.0]]), np.array([[1.0], [-1.0]])).tolist() == [0]


def test_kmeans_finds_two_pairs():
    labels, centres = kmeans(np.array([[0.0], [0.2], [9.0], [9.2]]), 2, np.random.default_rng(0))
    assert labels[0] == labels[1] != labels[2] == labels[3]
    np.testing.assert_allclose(np.sort(centres.ravel()), [0.1, 9.1])


def test_the_papers_ratio_by_hand():
    # groups {0, 2} and {10, 12}: inside 2 + 2 = 4 over n - K = 2; spread about 6: 36+16+16+36 = 104 over n - 1 = 3
    x, labels = np.array([[0.0], [2.0], [10.0], [12.0]]), np.array([0, 0, 1, 1])
    assert heterogeneity_ratio(x, labels, 2) == pytest.approx(np.sqrt(2 / (104 / 3)))
    assert np.isnan(heterogeneity_ratio(x, np.array([0, 0, 0, -1]), 2))


@given(st.integers(0, 1000))
def test_random_labels_do_not_lower_the_ratio_on_average(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(50, 30))
    assert 0.9 < heterogeneity_ratio(x, rng.permutation(np.repeat([0, 1], 25)), 2) < 1.1
