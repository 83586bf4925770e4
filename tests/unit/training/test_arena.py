"""Room for updates: used again when nobody holds it, and found by other processes."""

import gc
import multiprocessing
import os

import numpy as np
import pytest

from horae.errors import NoRoom
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


def test_the_smallest_piece_that_is_large_enough_is_taken():
    arena = Arena()
    small, large = arena.take(1, 10)[0], arena.take(1, 100)[0]
    place = small.__array_interface__["data"][0]
    del large, small  # the large one is free first
    again, _ = arena.take(1, 9)
    assert again.__array_interface__["data"][0] == place


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


def test_what_memory_does_not_hold_lies_in_a_file_without_a_name(monkeypatch, tmp_path):
    monkeypatch.setattr("horae.training.arena._at_hand", lambda: 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for shared in (False, True):
        arena = Arena(shared=shared)
        array, name = arena.take(4, 50)
        array[:] = np.arange(200).reshape(4, 50)
        assert array[3, 49] == 199
        if name is not None:
            np.testing.assert_array_equal(opened(name, 4, 50), array)
        small, _ = arena.take(2, 2)
        small[:] = 1
        arena.close()
    assert list(tmp_path.iterdir()) == []


@linux
def test_a_disk_without_room_for_them_is_said(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("horae.training.arena._at_hand", lambda: 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(
        NoRoom, match=f"GiB for a round's updates are neither in memory nor in {tmp_path} .No space left"
    ):
        Arena().take(2, 10)
