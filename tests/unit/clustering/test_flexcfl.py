"""FlexCFL: directions, groups, newcomers and mixing, by numbers worked out by hand."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.metrics.pairwise import cosine_similarity

import horae
from horae.clustering.flexcfl import FlexCfl, edc, mix
from horae.pure.tree import ROOT, Cohort, CohortTree
from horae.types import Practice, Split, Stay, Updates

EAST, NORTH = [4.0, 0.0, 0.0], [0.0, 1.0, 0.0]


def first():
    return CohortTree({ROOT: Cohort(ROOT, np.ones(3, np.float32), np.zeros(0, np.float32))})


class Clients:
    """Even ids' updates point east, odd ones' north; `there` are online. asked: what was put to them."""

    def __init__(self, there):
        self.there, self.asked = np.array(there), []

    def __call__(self, work, *, charge=True):
        assert charge
        self.asked.append(work)
        ids = self.there[: work.n] if work.clients is None else work.clients
        rows = np.array([NORTH if c % 2 else EAST for c in ids], np.float32).reshape(-1, 3)
        return Practice(ids, Updates(rows), np.full(ids.size, 10), np.ones(ids.size))


def test_coordinates_are_cosines_to_the_singular_directions():
    """Rows along two axes: the directions are these axes, whatever the rows' lengths."""
    found = edc(np.array([[2, 0], [5, 0], [0, 1]], np.float32), 2)
    np.testing.assert_allclose(np.abs(found), [[1, 0], [1, 0], [0, 1]], atol=1e-12)
    # (1, 1) / √2 lies halfway between two axes that others span
    halfway = edc(np.array([[9, 0], [9, 0], [0, 5], [0, 5], [1e-3, 1e-3]]), 2)
    np.testing.assert_allclose(np.abs(halfway[-1]), [np.sqrt(0.5)] * 2, atol=1e-6)


def test_coordinates_agree_with_scikit_learn():
    """As in the authors' code: TruncatedSVD of ΔW^T, then the cosines of ΔW with its columns."""
    rows = np.random.default_rng(0).normal(size=(12, 40))
    columns = TruncatedSVD(4, algorithm="arpack", random_state=0).fit_transform(rows.T)
    np.testing.assert_allclose(np.abs(edc(rows, 4)), np.abs(cosine_similarity(rows, columns.T)), atol=1e-6)


def test_mixing_adds_the_others_at_length_eta():
    """Lengths 5 and 2, η = 1: weights (1, 1/2) / 1.5 and (1/5, 1) / 1.2."""
    mixed = mix(np.array([[3, 4], [0, 2]], np.float32), 1.0)
    np.testing.assert_allclose(mixed, [[2, 10 / 3], [0.5, 7 / 3]], rtol=1e-6)
    np.testing.assert_allclose(mix(np.array([[3, 4], [0, 2]], np.float32), 0.0), [[3, 4], [0, 2]])


def test_groups_are_made_of_the_first_batch_and_newcomers_join_the_nearest():
    method, ask = FlexCfl(k=2, alpha=3, steps=7), Clients([0, 1, 2, 3, 4, 5, 6])
    tree = method.meet(first(), np.array([0, 1]), ask)
    assert [(work.n, work.steps, work.purpose) for work in ask.asked] == [(6, 7, "pre-training")]
    assert tree.paths() == ((0,), (1,))
    assert tree.common.home == {0: (0,), 1: (1,), 2: (0,), 3: (1,), 4: (0,), 5: (1,)}
    np.testing.assert_allclose([leaf.params for leaf in tree.leaves()], [[5, 1, 1], [1, 2, 1]])  # first + mean update
    tree = method.meet(tree, np.array([1, 8, 9]), ask)
    assert ask.asked[1].clients.tolist() == [8, 9]
    np.testing.assert_array_equal(ask.asked[1].params, [1, 1, 1])  # the first model, not a group's
    assert (tree.common.home[8], tree.common.home[9]) == ((0,), (1,))
    method.meet(tree, np.array([1, 8, 9]), ask)
    assert len(ask.asked) == 2


def test_the_split_is_told_once():
    method = FlexCfl(k=2, alpha=2)
    tree = method.meet(first(), np.array([0]), Clients([0, 1, 2, 3]))
    tree, verdicts = method.settle(tree, 4, 0.0, None)
    assert [type(v) for v in verdicts] == [Split]
    assert "split into 2" in verdicts[0].reason and "clients 2 + 2" in verdicts[0].reason
    assert method.settle(tree, 4, 0.0, None)[1] == []


@pytest.mark.parametrize("there", [[], [0], [0, 2, 4]])  # too few, or all alike
def test_without_enough_clients_there_is_one_group(there):
    method = FlexCfl(k=2)
    tree = method.meet(first(), np.array([0]), Clients(there))
    assert tree.paths() == (ROOT,)
    assert isinstance(method.settle(tree, 4, 0.0, None)[1][0], Stay)


def test_mixing_moves_the_leaves():
    method = FlexCfl(k=2, alpha=2, eta_g=0.5)
    tree = method.meet(first(), np.array([0]), Clients([0, 1, 2, 3]))
    models = np.stack([leaf.params for leaf in tree.leaves()])
    tree, _ = method.settle(tree, 4, 0.0, None)
    np.testing.assert_array_equal([leaf.params for leaf in tree.leaves()], mix(models, 0.5))


def test_it_finds_the_rotations(tmp_path, monkeypatch):
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)
    table = {
        "participants": 20, "budget": {"participations": 160}, "baseline": "none", "clustering": {"name": "flexcfl"},
        "population": {"name": "digits-rotated", "clients": 60}, "availability": {"name": "always"},
    }  # fmt: skip
    summary = horae.run(table, out=tmp_path / "run").summary
    assert summary["cohorts"] == 4
    assert summary["adjusted_rand_index"] >= 0.95
