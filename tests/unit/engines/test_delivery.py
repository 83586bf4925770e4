"""How updates arrive: rounded, cut, packed, and remembered where channels say so."""

import numpy as np

from horae.channels import ClipNoise, Feedback, Float16, TopK
from horae.engines.delivery import Delivery
from horae.types import Held, Round, Submodel
from horae.types import Ref as Name


def round_of(number, invited=(3, 8), held=None, path=()):
    n = len(invited)
    return Round(
        path, number, Name("m", 0), np.array(invited), n, 1.0, np.full(n, np.nan), np.zeros(n, bool), held=held
    )


def rows(*values):
    return np.array(values, np.float32)


def test_without_channels_updates_arrive_as_they_are():
    updates = rows([1, 2], [3, 4])
    assert Delivery((), 0).read(round_of(0), np.arange(2), updates) is updates


def test_what_was_left_out_is_sent_the_next_time():
    way = Delivery((Feedback(), TopK(share=0.5)), 0)
    np.testing.assert_array_equal(way.read(round_of(0), np.arange(2), rows([3, 2], [1, 5])), [[3, 0], [0, 5]])
    # Client 3 remembers (0, 2), client 8 (1, 0): (1, 1) becomes (1, 3) and (2, 1).
    np.testing.assert_array_equal(way.read(round_of(1), np.arange(2), rows([1, 1], [1, 1])), [[0, 3], [2, 0]])
    again = Delivery((Feedback(), TopK(share=0.5)), 0)
    again.restore(way.snapshot())
    np.testing.assert_array_equal(again.read(round_of(2), np.arange(2), rows([0, 0], [0, 0])), [[1, 0], [0, 1]])


def test_what_was_owed_to_a_dropped_weight_is_forgotten_and_a_regrown_one_owes_nothing():
    way, client = Delivery((Feedback(), TopK(share=0.5)), 0), (3,)

    def held(*keep):
        return Held((Submodel(np.array(keep, bool)),))

    np.testing.assert_array_equal(
        way.read(round_of(0, client, held(1, 1, 1, 1)), np.arange(1), rows([4, 3, 2, 1])), [[4, 3, 0, 0]]
    )  # owed: 0 0 2 1
    np.testing.assert_array_equal(
        way.read(round_of(1, client, held(1, 0, 0, 1)), np.arange(1), rows([3, 0, 0, 1])), [[3, 0, 0, 0]]
    )  # owed: 0 - - 2
    np.testing.assert_array_equal(
        way.read(round_of(2, client, held(1, 1, 1, 1)), np.arange(1), rows([0, 0, 0, 0])), [[0, 0, 0, 2]]
    )


def test_what_another_cohorts_model_was_owed_is_nothing_to_this_one():
    way = Delivery((Feedback(), TopK(share=0.5)), 0)
    for number, path, want in ((0, (0,), [3, 0]), (1, (0, 1), [0, 2]), (2, (0, 1), [1, 0]), (3, (2,), [0, 0])):
        sent = [3, 2] if number == 0 else [1, 0] if number == 1 else [0, 0]
        np.testing.assert_array_equal(way.read(round_of(number, (3,), path=path), np.arange(1), rows(sent)), [want])


def test_what_was_clipped_away_does_not_come_back():
    way = Delivery((ClipNoise(clip=1.0), Feedback(), TopK(share=0.5)), 0)
    np.testing.assert_allclose(way.read(round_of(0, (3,)), np.arange(1), rows([6, 8])), [[0, 0.8]])
    np.testing.assert_allclose(way.read(round_of(1, (3,)), np.arange(1), rows([0, 0])), [[0.6, 0]])
    np.testing.assert_allclose(way.read(round_of(2, (3,)), np.arange(1), rows([0, 0])), [[0, 0]])


def test_living_weights_are_rounded_and_dropped_ones_stay_zero():
    held = Held((Submodel(np.array([True, False, True])), Submodel(np.array([False, True, True]))), np.array([0, 1]))
    read = Delivery((Float16(),), 0).read(round_of(0, held=held), np.arange(2), rows([1 / 3, 0, 1], [0, 2, 1 / 3]))
    third = np.float32(np.float16(1 / 3))
    np.testing.assert_array_equal(read, rows([third, 0, 1], [0, 2, third]))
