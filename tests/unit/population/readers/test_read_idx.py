"""IDX files."""

import gzip
import struct

import numpy as np
import pytest
from refusing import refused

from horae.population.readers.idx import DEBIAN, Idx, idx_pool, read_idx


def idx(array, kind=8):
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def mnist(tmp_path):
    """Six images to train on and three to test on, of 2x2 pixels; the test files are gzipped."""
    x, y = np.arange(36, dtype=np.uint8).reshape(9, 2, 2), np.array([0, 1, 2, 0, 1, 2, 2, 1, 0], np.uint8)
    here = tmp_path / "mnist"
    here.mkdir()
    (here / "train-images-idx3-ubyte").write_bytes(idx(x[:6]))
    (here / "train-labels.idx1-ubyte").write_bytes(idx(y[:6]))
    (here / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(x[6:])))
    (here / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(y[6:])))
    return here


def test_images_come_as_they_are_and_t10k_is_set_aside(mnist):
    pool = idx_pool(mnist)
    np.testing.assert_array_equal(pool.x.ravel(), np.arange(36))
    assert pool.x.dtype == np.uint8
    assert pool.scale == 1 / 255
    assert pool.y.tolist() == [0, 1, 2, 0, 1, 2, 2, 1, 0]
    assert pool.tested.tolist() == [False] * 6 + [True] * 3
    assert pool.classes == 3
    assert pool.owners is None


def test_clients_share_them_out(mnist):
    member = Idx(clients=3)
    assert member.missing(mnist.parent) is None
    people = member.build(0, mnist.parent)
    assert people.clients == 3
    assert sorted(people.train.indices.tolist()) == list(range(6))
    assert sorted(people.test.indices.tolist()) == [6, 7, 8]


@pytest.mark.parametrize(("kind", "dtype"), [(9, "i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_every_type_of_number_is_read(tmp_path, kind, dtype):
    numbers = np.array([[1, -2, 3]], dtype)
    (tmp_path / "a").write_bytes(idx(numbers, kind))
    read = read_idx(tmp_path / "a")
    np.testing.assert_array_equal(read, numbers)
    assert read.dtype.isnative


def test_broken_files_are_one_line(mnist):
    images, labels = mnist / "train-images-idx3-ubyte", mnist / "train-labels.idx1-ubyte"
    whole = images.read_bytes()
    for data, words in (
        (whole[:-1], "should hold 24 bytes after its header, got 23"),
        (whole + b"x", "got more"),
        (whole[:5], "should begin as an IDX file does"),
        (b"<html>", "should begin as an IDX file does"),
        (b"", "should begin as an IDX file does"),
        (struct.pack(">HBBIII", 0, 8, 3, 2**31, 2**31, 2**31), "which cannot be"),
        (gzip.compress(whole)[:-12], "broken or truncated"),
    ):
        images.write_bytes(data)
        with refused("train-images-idx3-ubyte", words):
            idx_pool(mnist)
    images.write_bytes(whole)
    labels.write_bytes(idx(np.zeros(5, np.uint8)))
    with refused("train-labels", "one label for each of 6 images"):
        idx_pool(mnist)
    labels.unlink()
    with refused("train-labels-idx1-ubyte is missing; put the four IDX files"):
        idx_pool(mnist)


@pytest.mark.skipif(not (DEBIAN / "fashion-mnist").is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_of_debian(tmp_path):
    people = Idx(directory="fashion-mnist", clients=50).build(0, tmp_path)
    assert people.x.shape == (70_000, 28, 28)
    assert np.bincount(people.y).tolist() == [7000] * 10
    assert (people.train.indices.size, people.test.indices.size) == (60_000, 10_000)
    assert people.name == "fashion-mnist"
