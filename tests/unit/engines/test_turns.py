"""How often a client takes part where it costs it privacy."""

import numpy as np

from horae.channels import ClipNoise, Plain
from horae.engines.turns import Turns
from horae.pure.packing import pack, unpack


def test_without_a_limit_nobody_is_counted():
    for channels in ((), (Plain(),), (ClipNoise(noise=1.0),)):
        turns = Turns(channels)
        turns.take(np.array([1, 2]))
        assert turns.left(np.array([1, 2, 3])).all()
        assert turns.snapshot()[0].size == 0


def test_the_smallest_limit_counts_and_whoever_reached_it_is_out():
    turns = Turns((ClipNoise(visits=5), ClipNoise(visits=2), ClipNoise()))
    turns.take(np.array([1, 2]))
    assert turns.left(np.array([1, 2, 3])).tolist() == [True, True, True]
    turns.take(np.array([2]))
    assert turns.left(np.array([1, 2, 3])).tolist() == [True, False, True]


def test_counts_survive_a_checkpoint():
    turns, again = (Turns((ClipNoise(visits=1),)) for _ in range(2))
    turns.take(np.array([4, 10**12]))
    again.restore(unpack(pack(turns.snapshot())))
    assert again.left(np.array([3, 4, 10**12])).tolist() == [True, False, False]
