"""Turned digits whose clients have label proportions of their own."""

import numpy as np
import pytest

from horae.errors import ConfigError
from horae.population import DigitsRotated

ALL = np.arange(40)


def labels(people):
    return np.array([np.bincount(people.y[own], minlength=10) for own in people.train.rows(ALL)])


def test_skewed_labels_are_more_frequent_in_odd_groups_and_images_stay_their_groups():
    people = DigitsRotated(clients=40, images_per_client=40, alpha=2.0, skew=8.0).build(0)
    high, odd = labels(people)[:, 5:].sum(axis=1) / 32, people.groups % 2 == 1
    assert high[odd].mean() > high[~odd].mean() + 0.2
    alike = DigitsRotated(clients=40, images_per_client=40, alpha=2.0).build(0)
    assert (alike.groups == people.groups).all() and (people.y[:1797] == people.y[1797:3594]).all()
    copies = [np.unique(own // 1797).tolist() for own in people.train.rows(ALL)]
    assert copies == [[group] for group in people.groups]
    fit, score = (np.unique(rows.indices % 1797) for rows in (people.train, people.test))
    assert np.intersect1d(fit, score).size == 0


def test_a_smaller_alpha_is_more_skewed_and_none_leaves_the_demo_as_it_was():
    spread = [labels(DigitsRotated(clients=40, alpha=a).build(0)).max(axis=1).mean() for a in (0.1, 2.0, 1000.0)]
    assert spread[0] > spread[1] + 5 > spread[2] + 5
    plain, asked = DigitsRotated(clients=40).build(1), DigitsRotated(clients=40, alpha=0.0, skew=1.0).build(1)
    assert (plain.train.indices == asked.train.indices).all() and plain.about == asked.about


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"alpha": -1.0}, r"population.alpha should be in \[0, 1e\+06\]"),
        ({"skew": 0.5}, r"population.skew should be in \[1, 1e6\]"),
        ({"skew": 2.0}, "population.alpha should be > 0 beside population.skew"),
    ],
)
def test_mistakes_are_a_line(fields, words):
    with pytest.raises(ConfigError, match=words):
        DigitsRotated(**fields)
