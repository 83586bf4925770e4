"""Room for updates: used again when nobody holds it, and found by other processes."""

import gc
import multiprocessing
import os

import numpy as np
import pytest

from horae.training.arena import Arena, opened

linux = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory is shared by name on Linux only")


def test_a_piece_is_used_again_once_nobody_holds_its_array():
    arena = Arena()
    first, _ = arena.take(3, 5)
    first[:] = 7
    place, view = first.__array_interface__["data"][0], first[1]
    del first
    second, _ = arena.take(3, 5)  # a view of the first is still held
    assert second.__array_interface__["data"][0] != place
    second[:] = 0
    assert view.tolist() == [7.0] * 5
    del view
    third, _ = arena.take(2, 6)  # fits into the first
    assert third.__array_interface__["data"][0] == place
    assert third.shape == (2, 6)


def test_a_larger_array_gets_a_new_piece_and_small_ones_are_given_back():
    arena = Arena()
    for rows in (1, 2, 4, 8):
        array, _ = arena.take(rows, 10)
        del array
    assert [piece.nbytes for piece in arena._all] == [4 * 80]
    assert arena.take(0, 10)[0].shape == (0, 10)


def _double(name, rows, columns):
    array = opened(name, rows, columns)
    array *= 2


@linux
def test_another_process_writes_into_it():
    arena = Arena(shared=True)
    array, name = arena.take(4, 3)
    array[:] = np.arange(12).reshape(4, 3)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(_double, (name, 4, 3))
    np.testing.assert_array_equal(array, 2 * np.arange(12).reshape(4, 3))
    arena.close()
    assert array[3, 2] == 22  # still good
    with pytest.raises(OSError):
        open(name[0], "rb").close()


@linux
def test_a_name_is_never_given_twice():
    arena, names = Arena(shared=True), []
    for rows in range(1, 6):
        array, name = arena.take(rows, 100)
        names.append(name)
        del array
        gc.collect()
    arena.close()
    other = Arena(shared=True)
    names.append(other.take(1, 1)[1])
    other.close()
    assert len(set(names)) == 6
