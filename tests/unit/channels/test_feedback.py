"""Error feedback: the sums by hand, and what it is for."""

import numpy as np

from horae.channels import ClipNoise, Feedback, Int8, Plain, TopK
from horae.channels.feedback import parted, remembered, wanted
from horae.engines.wire import send
from horae.types import Submodel


def test_what_is_left_out_is_sent_the_next_time():
    # top_k keeps 1 of 3. Round 1: u = (3, 2, 1), sent (3, 0, 0), e = (0, 2, 1).
    # Round 2: u = (1, 1, 1), u' = (1, 3, 2), sent (0, 3, 0), e = (1, 0, 2).
    memory, rng, channels = np.zeros(3, np.float32), np.random.default_rng(0), (TopK(0.33),)
    for update, sent, left in [((3, 2, 1), (3, 0, 0), (0, 2, 1)), ((1, 1, 1), (0, 3, 0), (1, 0, 2))]:
        want = wanted(np.array(update, np.float32), memory)
        read, _ = send(channels, want, rng)
        memory = remembered(want, read, memory)
        assert read.tolist() == list(sent)
        assert memory.tolist() == list(left)


def test_nothing_is_lost_but_what_is_still_remembered():
    rng, channels = np.random.default_rng(0), (TopK(0.1), Int8())
    updates = rng.normal(size=(200, 50)).astype(np.float32)
    memory, total = np.zeros(50, np.float32), np.zeros(50)
    for update in updates:
        want = wanted(update, memory)
        read, _ = send(channels, want, rng)
        memory, total = remembered(want, read, memory), total + read
    np.testing.assert_allclose(total + memory, updates.sum(0, dtype=np.float64), atol=1e-2)
    assert np.linalg.norm(memory) < 0.5 * np.linalg.norm(updates.astype(float), axis=1).sum()


def test_rows_that_are_not_finite_leave_the_memory_as_it_was():
    memory = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    want = np.array([[np.nan, 0], [7, 7], [3e38, 0]], np.float32)
    read = np.array([[np.nan, 0], [7, 5], [-3e38, 0]], np.float32)  # the last is too far away for a float32
    assert remembered(want, read, memory).tolist() == [[1, 2], [0, 2], [5, 6]]
    assert remembered(want[1], read[1], memory[1]).tolist() == [0, 2]
    assert remembered(want[:, :0], read[:, :0], memory[:, :0]).shape == (3, 0)


def test_in_full_index_space_a_dropped_weight_forgets_and_a_regrown_one_begins_at_zero():
    first, second = (Submodel(keep=np.array(keep, bool)) for keep in ([1, 1, 0], [0, 1, 1]))
    memory = first.scatter(np.array([5, 6], np.float32))
    small = second.gather(memory)
    assert small.tolist() == [6, 0]
    assert second.scatter(small).tolist() == [0, 6, 0]
    assert first.gather(second.scatter(small)).tolist() == [0, 6]


def test_the_mark_parts_the_list_and_changes_nothing():
    clip, top = ClipNoise(), TopK()
    assert parted((clip, Feedback(), top, Int8())) == ((clip,), (top, Int8()))
    assert parted((Plain(), top)) is None
    update = np.array([1.5, np.nan], np.float32)
    read, size = send((Feedback(),), update, np.random.default_rng(0))
    np.testing.assert_array_equal(read, update)
    assert size == 8
