"""CIFAR's batches for Python."""

import pickle

import numpy as np
import pytest
from refusing import refused

from horae.population.readers.cifar import TEN, Cifar, cifar_pool


def batch(n, seed, **labels):
    data = np.random.default_rng(seed).integers(0, 256, (n, 3072)).astype(np.uint8)
    return {"data": data, **labels, "batch_label": "testing"}


@pytest.fixture
def ten(tmp_path):
    here = tmp_path / "cifar-10-batches-py"
    here.mkdir()
    for i, name in enumerate(TEN):
        (here / name).write_bytes(pickle.dumps(batch(2, i, labels=[i, 9 - i]), 2))
    return here


@pytest.fixture
def hundred(tmp_path):
    here = tmp_path / "cifar-100-python"
    here.mkdir()
    for name, n in (("train", 4), ("test", 2)):
        labels = {"fine_labels": [99, *range(n - 1)], "coarse_labels": [19, *range(n - 1)]}
        (here / name).write_bytes(pickle.dumps(batch(n, n, **labels), 2))
    return here


def test_cifar_10_has_six_batches_and_the_last_is_set_aside(ten):
    pool = cifar_pool(ten)
    assert pool.x.shape == (12, 3, 32, 32)
    assert pool.y.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5, 5, 4]
    assert pool.tested.tolist() == [False] * 10 + [True] * 2
    first = batch(2, 0)["data"][0]
    assert pool.x[0, 1, 0, 3] == first[1024 + 3]  # green comes second, rows of 32
    people = Cifar(clients=2).build(0, ten.parent)
    assert (people.name, people.clients, people.scale) == ("cifar-10", 2, 1 / 255)


def test_cifar_100_has_fine_and_coarse_labels(hundred):
    fine, coarse = (
        Cifar(directory=hundred.name, labels=kind, clients=2).build(0, hundred.parent) for kind in ("fine", "coarse")
    )
    assert (fine.classes, coarse.classes) == (100, 20)
    assert fine.y.tolist() == [99, 0, 1, 2, 99, 0]
    assert coarse.y.tolist() == [19, 0, 1, 2, 19, 0]


class Evil:
    def __reduce__(self):
        return eval, ("1",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pickle.dumps({"data": Evil()}, 2), "is refused: its pickle asks for __builtin__.eval"),
        (pickle.dumps({"data": np.zeros((1, 3072), np.uint8)}, 2)[:-40], "should be a whole pickle"),
        (pickle.dumps([1]), "should hold data and labels, got list"),
        (pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "fine_labels": [1]}), "should hold data and labels"),
        (
            pickle.dumps({"data": np.zeros((1, 3072)), "labels": [1]}),
            "data should be bytes (images, 3072), got float64",
        ),
        (pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}), "labels should be a list of 2"),
        (pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1, 10]}), "row 1: label should be"),
        (pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": ["cat"]}), "row 0: label should be"),
    ],
)
def test_broken_batches_are_one_line(ten, data, words):
    (ten / "data_batch_3").write_bytes(data)
    with refused("data_batch_3", words):
        cifar_pool(ten)


def test_a_missing_batch_is_named(ten):
    (ten / "data_batch_5").unlink()
    assert "data_batch_5 is missing; put CIFAR's batches for Python there" in Cifar().missing(ten.parent)
