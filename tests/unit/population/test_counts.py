"""Clients given as scipy's sparse matrices of word counts."""

import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array, csr_matrix

from horae.errors import DataError
from horae.population import Population
from horae.population.counts import written_out


def test_a_column_becomes_a_number_as_often_as_it_is_counted():
    x = [csr_matrix([[0, 2, 1], [1, 0, 0]]), coo_array([[0, 0, 3.0], [0, 0, 0]])]
    people = Population.from_arrays([(x[0], [0, 1]), (x[1], [1, 0])], test_fraction=0)
    assert people.x.tolist() == [[2, 2, 3], [1, 0, 0], [3, 3, 3], [0, 0, 0]]
    assert (people.x.dtype, people.shape, people.scale, people.classes) == (np.int32, (3,), None, 2)


def test_entries_that_stand_twice_are_one_count():
    twice = csr_array((np.array([1, 1]), np.array([1, 1]), np.array([0, 2])), (1, 2))
    assert written_out([(twice, [0])])[0][0].tolist() == [[2, 2]]


def test_arrays_stay_what_they_are():
    clients = [(np.zeros((1, 2)), [0])]
    assert written_out(clients) is clients
    assert Population.from_arrays(clients).x.dtype == np.float32


@pytest.mark.parametrize(
    ("xs", "words"),
    [
        ([csr_array([[0.5]])], r"clients\[0\]\.x should hold whole counts >= 0.*tf-idf"),
        ([csr_array([[-1]])], "whole counts"),
        (
            [csr_array([[1]]), np.ones((1, 1))],
            r"clients\[1\]\.x should be a sparse matrix like the others, got ndarray",
        ),
        ([csr_array([[1]]), csr_array([[1, 1]])], r"clients\[1\]\.x should have 1 columns like client 0"),
        ([csr_array([[70_000]])], "hold at most 65,536 words a sample, got 70000"),
    ],
)
def test_what_is_no_count_is_refused(xs, words):
    with pytest.raises(DataError, match=words):
        Population.from_arrays([(x, [0]) for x in xs])
