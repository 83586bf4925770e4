import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.pure.tree import ROOT, Cohort, CohortTree, distance


def seedling() -> CohortTree:
    return CohortTree(
        {
            ROOT: Cohort(
                ROOT, np.zeros(2, np.float32), np.zeros(0, np.float32), round=7, algorithm="opt", clustering="old"
            )
        }
    )


@st.composite
def trees(draw: st.DrawFn) -> CohortTree:
    tree = seedling()
    for _ in range(draw(st.integers(0, 5))):
        tree = tree.split(draw(st.sampled_from(tree.paths())), draw(st.integers(2, 4)), None)
    return tree


def test_children_inherit_all_but_what_the_cohort_knew_of_its_inside():
    tree = seedling().split(ROOT, 3, "fresh")
    assert tree.paths() == ((0,), (1,), (2,))
    assert tree.width == 4
    for child in tree:
        assert (child.round, child.algorithm, child.clustering) == (7, "opt", "fresh")
        assert child.params is tree[(0,)].params


def test_a_retired_cohort_cannot_be_trained():
    tree = seedling().split(ROOT, 2, None)
    with pytest.raises(KeyError):
        tree.put(seedling()[ROOT])


@given(
    trees(),
    st.lists(st.integers(-1, 5), max_size=5).map(tuple),
    st.dictionaries(st.lists(st.integers(0, 3), max_size=3).map(tuple), st.integers(-1, 5)),
    st.floats(0, 1, exclude_max=True),
)
def test_every_request_resolves_to_one_leaf(tree, wish, cluster, u):
    leaf = tree.resolve(wish, cluster, u)
    assert leaf in tree.paths()
    if wish in tree.paths():
        assert leaf == wish


@given(trees(), st.floats(0, 1, exclude_max=True))
def test_a_stale_request_goes_to_the_subtree_it_named(tree, u):
    for leaf in tree.paths():
        for depth in range(len(leaf)):
            found = tree.resolve(leaf[:depth], {}, u)
            assert found[:depth] == leaf[:depth]


def test_the_cluster_index_leads_to_the_leaf():
    tree = seedling().split(ROOT, 2, None).split((1,), 3, None)
    assert tree.resolve(ROOT, {ROOT: 1, (1,): 2}, 0.0) == (1, 2)
    assert tree.resolve((1,), {(1,): 0}, 0.99) == (1, 0)
    assert tree.resolve((1,), {(1,): 9}, 0.99) == (1, 2)  # a made-up cluster counts as unknown


@given(st.lists(st.integers(0, 2), max_size=4).map(tuple), st.lists(st.integers(0, 2), max_size=4).map(tuple))
def test_distance_is_zero_only_towards_oneself_or_below(a, b):
    assert distance(a, a) == 0
    assert 0 <= distance(a, b) <= len(a)
    assert (distance(a, b) == 0) == (b[: len(a)] == a)
