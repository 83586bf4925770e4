"""Hours by label: who is seldom there, when, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from horae.errors import ConfigError
from horae.experiment import load
from horae.population import LabelHours, Population
from horae.population.label_hours import commonest

SMALL = {
    "participants": 5, "population": {"name": "digits-dirichlet", "clients": 20, "alpha": 1.0},
    "availability": {"name": "by-label"},
}  # fmt: skip


def test_hours_by_hand():
    hours = LabelHours(share=0.5, slot_s=10.0).told(np.array([True, False]))
    both, seconds = np.arange(2), np.arange(0.0, 4000.0, 10.0)
    there = np.array([hours.online(both, s, 0) for s in seconds])
    assert there[:, 1].all() and 0.4 < there[:, 0].mean() < 0.6
    for s, (rare, _) in zip(seconds[:200], there, strict=False):
        end, never = hours.until(both, s + 3, 0)
        slots = there[int(s // 10) :, 0]
        assert never == np.inf and end == (s + 10 * np.argmin(slots) if rare else s + 3)
    assert hours.online(np.array([1, 0, 1]), 3.0, 0).tolist() == [True, there[0, 0], True]


def test_who_stays_for_longer_than_anybody_looks_ahead_is_said_to_leave_then():
    always = LabelHours(share=1.0, slot_s=10.0).told(np.array([True]))
    assert always.until(np.array([0]), 3.0, 0).tolist() == [500.0]


def test_who_is_seldom_there_is_whose_commonest_label_is_named():
    x = np.zeros((3, 1), np.float32)
    hands = [(x, [2, 0, 2]), (x, [1, 0, 1]), (x, [0, 2, 1])]  # of equals the lowest: 0
    people = Population.from_arrays(hands, test_fraction=0)
    assert commonest(people).tolist() == [2, 1, 0]
    hours = LabelHours(labels=(1, 2), share=0.0)
    assert hours.online(np.arange(3), 0.0, 0).all()  # as long as nobody knows who they are
    assert hours.among(people).online(np.arange(3), 0.0, 0).tolist() == [False, False, True]
    assert hours.among(people) == hours  # the fields alone make it what it is


def test_an_experiment_names_them():
    world = load(SMALL).world()
    table = np.array(
        [np.bincount(world.population.y[own], minlength=10) for own in world.population.train.rows(np.arange(20))]
    )
    assert world.availability.seldom.tolist() == (table.argmax(axis=1) >= 5).tolist()
    assert load(load(SMALL).table()).table()["availability"] == {
        "name": "by-label", "labels": [5, 6, 7, 8, 9], "share": 0.15, "slot_s": 1800.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"labels": []}, "availability.labels should name labels"),
        ({"labels": [-1]}, "availability.labels should name labels"),
        ({"labels": [12]}, "availability.labels should be < 10, the labels there are"),
        ({"share": 1.5}, r"availability.share should be in \[0, 1\]"),
        ({"slot_s": 0.0}, "availability.slot_s should be >= 1"),
    ],
)
def test_mistakes_are_a_line(fields, words):
    with pytest.raises(ConfigError, match=words) as raised:
        load({**SMALL, "availability": {"name": "by-label", **fields}}).world()
    assert "\n" not in str(raised.value)


def test_what_has_no_labels_is_refused():
    people = replace(load(SMALL).world().population, task="next-token")
    with pytest.raises(ConfigError, match="availability should be other than by-label for next-token"):
        LabelHours().among(people)
