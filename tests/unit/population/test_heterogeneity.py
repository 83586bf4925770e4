import numpy as np
import pytest

from horae.population import DigitsDirichlet, DigitsIid, DigitsRotated, Pool, Virtual
from horae.population.heterogeneity import (
    feature_shift,
    gini,
    heterogeneity,
    label_counts,
    some_clients,
    total_variation,
)
from horae.population.partitioners import NaturalId
from horae.population.rows import Ragged
from horae.population.sharing import share_out


def made(x, y, owners, **fields):
    pool = Pool(x, y, **{"classes": 2, "owners": owners, **fields})
    return share_out(pool, NaturalId(), name="made", test_fraction=0)


def test_total_variation_by_hand():
    # together 4 and 4: (1, 0) and (1/3, 2/3) against (1/2, 1/2)
    assert total_variation(np.array([[2, 0], [2, 4]])).round(6).tolist() == [0.5, 0.166667]


def test_gini_by_hand():
    # |1 - 3| twice over 2 * 2 * 4
    assert gini(np.array([3, 1])) == pytest.approx(0.25)
    assert gini(np.array([7])) == 0.0


def test_the_report_says_who_is_skewed():
    skewed, alike = (heterogeneity(cls(clients=60).build(0)) for cls in (DigitsDirichlet, DigitsIid))
    assert skewed["label_tv"]["mean"] > 0.6 > 0.3 > alike["label_tv"]["mean"]
    assert alike["label_tv"]["mean"] == pytest.approx(alike["label_tv"]["by_chance"], abs=0.05)
    assert skewed["features"]["ratio"] > 2.0
    assert skewed["features"]["ratio_within_labels"] < 1.5
    assert alike["features"]["ratio"] == pytest.approx(1.0, abs=0.12)
    assert alike["size_gini"] == 0.0


def test_turned_images_are_seen_in_the_features_alone():
    found = heterogeneity(DigitsRotated(clients=60).build(0))
    assert found["features"]["ratio_within_labels"] > 1.8
    assert found["label_tv"]["mean"] == pytest.approx(found["label_tv"]["by_chance"], abs=0.05)


def test_regressions_count_tenths_and_windows_every_token():
    x, owners = np.zeros((40, 2), np.float32), np.arange(40) // 20
    numbers = made(x, np.arange(40, dtype=np.float32), owners, classes=1, task="regression")
    counts = label_counts(numbers, Ragged.of([np.arange(20), np.arange(20, 40)]))
    assert counts.tolist() == [[4] * 5 + [0] * 5, [0] * 5 + [4] * 5]
    assert heterogeneity(numbers)["label_tv"]["mean"] == 0.5
    y = np.array([[0, 1], [1, -1]])
    windows = made(np.ones((2, 2), np.uint8), y, np.array([0, 1]), task="next-token")
    assert label_counts(windows, Ragged.of([[0], [1]])).tolist() == [[1, 1], [0, 1]]


def test_tokens_are_told_apart_by_what_occurs():
    x = np.repeat(np.array([[1, 2, 0], [3, 4, 5]], np.int32), 30, axis=0)
    people = made(x, np.arange(60) % 2, np.arange(60) // 30)
    found = feature_shift(people, Ragged.of(people.train.rows(np.arange(2))), 0)
    assert found["ratio"] > 3


def test_samples_that_are_all_the_same_are_no_shift():
    people = made(np.ones((20, 3), np.float32), np.arange(20) % 2, np.arange(20) // 10)
    assert heterogeneity(people)["features"]["ratio"] == 1.0


def test_of_ten_million_clients_some_are_looked_at():
    people = Virtual().build(0)
    some = some_clients(people, 0)
    assert some.size == 2000
    assert np.unique(some).size == 2000
    assert heterogeneity(people)["clients_looked_at"] == 2000


def test_the_same_seed_gives_the_same_report():
    people = DigitsIid(clients=20).build(0)
    assert heterogeneity(people, 3) == heterogeneity(people, 3)
