"""What a cohort knows of its inside."""

import numpy as np

from horae.clustering.memory import WINDOW, Memory
from horae.types import UNKNOWN


def row(*values):
    return np.array(values, np.float32)


def test_a_member_is_a_running_mean():
    memory = Memory().remember(np.array([7]), row([1.0, 0.0]), np.array([0]))
    memory = memory.remember(np.array([7, 2]), row([0.0, 1.0], [0.5, 0.5]), np.array([0, 1]))
    ids, means, visits, labels = memory.table()
    assert ids.tolist() == [2, 7]
    assert means.tolist() == [[0.5, 0.5], [0.5, 0.5]]  # (1 + 0)/2, (0 + 1)/2 for 7
    assert visits.tolist() == [1, 2]
    assert labels.tolist() == [1, 0]


def test_an_unknown_label_does_not_erase_a_known_one_and_a_new_one_replaces_it():
    memory = Memory().remember(np.array([1, 2]), row([1.0], [1.0]), np.array([0, UNKNOWN]))
    memory = memory.remember(np.array([1, 2]), row([1.0], [1.0]), np.array([UNKNOWN, 1]))
    assert memory.labels_of(np.array([2, 1, 9])).tolist() == [1, 0, UNKNOWN]
    assert memory.remember(np.array([1]), row([1.0]), np.array([1])).labels_of(np.array([1])).tolist() == [1]


def test_a_memory_is_a_value():
    before = Memory().remember(np.array([1]), row([1.0]), np.array([0]))
    told = row([2.0])
    after = before.remember(np.array([1]), told, np.array([1])).remember(np.array([5]), told, np.array([0]))
    told[:] = 99  # the caller's array
    assert sorted(before.members) == [1]
    assert before.members[1].visits == 1
    assert before.labels_of(np.array([1])).tolist() == [0]
    assert after.table()[1].tolist() == [[1.5], [2.0]]


def test_it_has_started_when_it_knows_somebody():
    assert not Memory().started
    assert Memory().remember(np.array([1]), row([1.0]), np.array([UNKNOWN])).started


def test_the_ratio_is_a_mean_over_a_window():
    memory = Memory()
    assert np.isnan(memory.ratio)
    memory = memory.note_ratio(float("nan")).note_ratio(1.0)
    assert memory.ratio == 1.0
    for _ in range(WINDOW - 1):
        memory = memory.note_ratio(0.0)
    assert memory.ratio == 1 / WINDOW
    assert memory.note_ratio(0.0).ratio == 0.0  # the 1 has left the window
    assert len(memory.note_ratio(0.0).ratios) == WINDOW


def test_beyond_the_most_those_are_forgotten_who_were_not_seen_for_longest(monkeypatch):
    monkeypatch.setattr("horae.clustering.memory.MOST", 3)
    memory = Memory().remember(np.array([1, 2, 3]), row([1.0], [2.0], [3.0]), np.array([0, 1, 0]))
    memory = memory.remember(np.array([1]), row([1.0]), np.array([0]))
    memory = memory.remember(np.array([4]), row([4.0]), np.array([1]))
    assert memory.table()[0].tolist() == [1, 3, 4]  # 2 was first, and 1 came again
    assert memory.labels_of(np.array([2])).tolist() == [UNKNOWN]
