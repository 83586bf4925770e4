"""Probes: points whose clusters and correlations are known."""

import numpy as np
import pytest

from horae.errors import ConfigError
from horae.reproduce.probes.clusters import ClientClusters, described, within, without_groups
from horae.reproduce.probes.updates import UpdateSimilarity, cosines


def test_two_heaps_need_two_centres():
    x = np.repeat([[0.0, 0.0], [4.0, 0.0]], 10, axis=0)
    assert within(x, 1, 0) == pytest.approx(1.0)
    assert within(x, 2, 0) == pytest.approx(0.0, abs=1e-9)


def test_points_without_groups_are_as_wide_in_every_direction():
    x = np.repeat([[0.0, 1.0], [4.0, 0.0], [0.0, -1.0]], 200, axis=0)
    normal = without_groups(x, 3)
    assert np.cov(normal.T) == pytest.approx(np.cov(x.T), rel=0.2, abs=0.2)
    assert within(normal, 3, 0) > within(x, 3, 0) + 0.3
    flat = np.column_stack([x[:, 0], np.zeros(len(x))])
    assert without_groups(flat, 3)[:, 1] == pytest.approx(0.0, abs=1e-9)


def test_turned_digits_fall_into_groups_and_alike_clients_do_not():
    found = ClientClusters(("digits-rotated", "digits-iid"), (1, 4)).measure(0, None)
    assert found["digits-rotated, 1"]["heterogeneity"] == pytest.approx(1.0)
    assert found["digits-rotated, 4"]["gap"] > 0.1 > found["digits-iid, 4"]["gap"]
    assert found == ClientClusters(("digits-rotated", "digits-iid"), (1, 4)).measure(0, None)


def test_label_shares_alone_do_not_see_what_is_turned():
    people = UpdateSimilarity(clients=20).experiment(0).parts["population"].build(0)
    assert described(people, 0, features=False).shape == (20, 10)
    assert described(people, 0, features=True).shape == (20, 10 + 64)


def test_cosines_of_deviations_by_hand():
    # deviations from the mean (0, 0): (1, 0), (0, 1), (-1, -1)
    found = cosines(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    assert found == pytest.approx([0.0, -(0.5**0.5), -(0.5**0.5)])


def test_updates_are_looked_at_after_the_rounds_that_were_asked_for():
    probe = UpdateSimilarity(rounds=(0, 2), participants=5, clients=20, degrees=(0.0, 90.0))
    found = probe.measure(1, None)
    assert list(found) == ["after 0 rounds", "after 2 rounds"]
    assert 0.2 < found["after 0 rounds"]["correlation"] <= 1.0
    assert found == probe.measure(1, None)


@pytest.mark.parametrize("rounds", [(), (5, 0), (0, 0), (-1,)])
def test_rounds_that_cannot_be(rounds):
    with pytest.raises(ConfigError, match=r"probe\.rounds should be different numbers of rounds, rising"):
        UpdateSimilarity(rounds=rounds)


def test_what_is_missing_is_said(tmp_path):
    assert "train.csv is missing" in ClientClusters(("fedscale:femnist",)).missing(tmp_path)
    assert ClientClusters(("digits-iid",)).missing(tmp_path) == ""
    assert "train.csv is missing" in UpdateSimilarity(population="fedscale", directory="x", kind="femnist").missing(
        tmp_path
    )
    with pytest.raises(ConfigError, match="there is no 'digits-id'; did you mean"):
        ClientClusters(("digits-id",))
