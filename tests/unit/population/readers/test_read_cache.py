"""What is decoded once."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from refusing import refused

from horae.errors import DataError
from horae.population.readers.cache import NAME, decoded, key_of

SLOW = """
import sys, time, pathlib, numpy as np
from horae.population.readers.cache import decoded
def decode(i):
    print(i, flush=True)
    time.sleep(0.2)
    return np.full(3, i)
decoded(pathlib.Path(sys.argv[1]), "k", (3,), "f4", range(50), decode)
"""


def rows(root, decode=lambda i: np.full(3, i), n=4, key="k"):
    return decoded(root, key, (3,), np.float32, range(n), decode)


def never(_):
    raise AssertionError("decoded again")


def test_it_is_decoded_once(tmp_path):
    assert rows(tmp_path)[:, 0].tolist() == [0, 1, 2, 3]
    assert rows(tmp_path, never)[:, 0].tolist() == [0, 1, 2, 3]
    with pytest.raises(AssertionError):
        rows(tmp_path, never, key="other")
    with pytest.raises(AssertionError):
        rows(tmp_path, never, n=5)  # what is there has another shape


def test_torch_shares_its_memory_without_a_word(tmp_path):
    import torch

    array = rows(tmp_path)
    tensor = torch.from_numpy(array)
    assert tensor.data_ptr() == array.ctypes.data


def test_what_fails_leaves_nothing(tmp_path):
    def breaks(i):
        if i == 2:
            raise DataError("broken")
        return np.zeros(3)

    with refused("broken"):
        rows(tmp_path, breaks)
    assert list(tmp_path.rglob("x.*")) == []
    assert len(rows(tmp_path)) == 4


def test_half_an_array_is_decoded_again(tmp_path):
    rows(tmp_path)
    file = tmp_path / NAME / "k" / "x.npy"
    file.write_bytes(file.read_bytes()[:100])
    assert rows(tmp_path)[:, 0].tolist() == [0, 1, 2, 3]


def test_ctrl_c_leaves_nothing(tmp_path):
    def stopped(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rows(tmp_path, stopped)
    assert list(tmp_path.rglob("x.*")) == []


def test_a_killed_decode_leaves_nothing_half_made(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout.readline() == b"0\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    place = tmp_path / NAME / "k"
    assert not (place / "x.npy").exists()
    assert len(list(place.glob("*.part"))) == 1
    began = time.monotonic()
    assert rows(tmp_path)[:, 0].tolist() == [0, 1, 2, 3]  # the lock of the dead holds nobody up
    assert time.monotonic() - began < 5
    assert list(place.glob("*.part")) == []


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / NAME).write_text("a file")
    with refused("cannot keep decoded samples in", "name another data directory"):
        rows(tmp_path)


def test_the_key_tells_options_and_parts_apart():
    keys = [key_of({"a": 1}, [b"x", b"y"]), key_of({"a": 2}, [b"x", b"y"]), key_of({"a": 1}, [b"xy"])]
    assert len({*keys, key_of({"a": 1}, [b"y", b"x"])}) == 4
    assert key_of({"a": 1, "b": 2}, []) == key_of({"b": 2, "a": 1}, [])
