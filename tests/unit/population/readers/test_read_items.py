"""Data sets handed over from Python."""

import numpy as np
import pytest
import torch
from refusing import held, refused
from torch.utils.data import Dataset, TensorDataset

from horae import Population


class Squares(Dataset):
    """Sample i is an image full of i, its label i mod 3."""

    def __len__(self):
        return 10

    def __getitem__(self, i):
        return torch.full((1, 2, 2), float(i)), i % 3


def test_any_torch_dataset_with_client_ids():
    ids = ["u", "v"] * 5
    people = Population.from_dataset(Squares(), ids, name="squares")
    assert people.x.shape == (10, 1, 2, 2)
    assert people.x[:, 0, 0, 0].tolist() == list(range(10))
    assert people.y.tolist() == [i % 3 for i in range(10)]
    assert [sorted(held(people, i)) for i in range(2)] == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]
    assert people.test.sizes.tolist() == [1, 1]
    assert people.name == "squares"
    again = Population.from_dataset(Squares(), ids, seed=1)
    assert again.test.indices.tolist() != people.test.indices.tolist()


def test_what_samples_are_is_seen_from_their_type():
    ids = [0, 0, 1]
    images = TensorDataset(torch.zeros(3, 4, 4, dtype=torch.uint8), torch.tensor([0, 1, 1]))
    assert Population.from_dataset(images, ids).scale == 1 / 255
    ratings = [(np.array([1, 2]), 0.5), (np.array([3, 0]), 4.0), (np.array([2, 0]), 1.0)]
    people = Population.from_dataset(ratings, ids, test_fraction=0)
    assert (people.task, people.scale, people.classes) == ("regression", None, 1)
    doubles = [(np.array([1.5]), 0)] * 3
    assert Population.from_dataset(doubles, ids).x.dtype == np.float32


@pytest.mark.parametrize(
    ("dataset", "ids", "words"),
    [
        (Squares(), [0, 1], "client_ids should hold one id for each of 10 samples"),
        ([], [], "one at least"),
        (iter([]), [], "should know its length"),
        ([1, 2], [0, 1], "dataset[0] should be a pair (x, y), got int"),
        ([(np.zeros(2), 0), (np.zeros(3), 0)], [0, 1], "dataset[1]: x should be float32 (2,) like the first"),
        ([(np.zeros(2), 0), (np.zeros(2), -1)], [0, 1], "row 1: label should be >= 0, got -1"),
        ([(np.zeros(2), 0), (np.zeros(2), [1, 2])], [0, 1], "y should be of one shape"),
        ([(torch.zeros(2, requires_grad=True), 0)], [0], "dataset[0] should be arrays or tensors in memory"),
    ],
)
def test_what_is_no_data_set_is_one_line(dataset, ids, words):
    with refused(words):
        Population.from_dataset(dataset, ids)
