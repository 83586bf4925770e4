"""Clients that cost nothing until they are asked: the same whoever else is asked, and as many as you like."""

import numpy as np
import pytest

from horae.checks import check_people
from horae.clustering import Auxo, Oracle
from horae.errors import ConfigError
from horae.population import Virtual


@pytest.fixture(scope="module")
def people():
    return Virtual(clients=10_000_000).build(3)


def test_ten_million_clients_hold_what_follows_from_their_number(people):
    assert people.clients == len(people.groups) == len(people.train) == 10_000_000
    last = 9_999_999
    assert people.train.row(last).tolist() == people.train.rows(np.array([5, last]))[1].tolist()
    assert people.train.row(last).tolist() != people.train.row(last - 1).tolist()
    assert people.train.sizes_of(np.array([0, last])).tolist() == [29, 29]
    assert people.test.sizes_of(np.array([7])).tolist() == [7]
    assert people.train.most == 29


def test_a_client_holds_images_of_its_own_group_that_nobody_is_tested_on(people):
    clients = np.arange(0, 10_000_000, 99_991)
    groups = people.groups[clients]
    for client, group in zip(clients.tolist(), groups.tolist(), strict=True):
        for held in (people.train.row(client), people.test.row(client)):
            assert (held // 1797 == group).all()
    train = np.concatenate(people.train.rows(clients)) % 1797
    assert not set(train) & set(np.concatenate(people.test.rows(clients)) % 1797)


def test_groups_are_near_equal(people):
    facts = people.facts()
    assert sum(facts["groups"].values()) == 10_000_000
    assert all(abs(size - 2_500_000) < 8 * np.sqrt(2_500_000 * 0.75) for size in facts["groups"].values())
    assert facts["train_samples"] == 290_000_000
    assert people.planted.tolist() == [0, 1, 2, 3]


def test_it_is_another_population_for_another_seed_and_says_so():
    one, same, other = (Virtual(clients=500).build(seed) for seed in (1, 1, 2))
    hashed = [b"".join(np.ascontiguousarray(part).tobytes() for part in people.held) for people in (one, same, other)]
    assert hashed[0] == hashed[1] != hashed[2]
    everybody = np.arange(500)
    assert one.groups[everybody].tolist() == same.groups[everybody].tolist() != other.groups[everybody].tolist()


def test_the_oracle_can_use_its_groups():
    people = Virtual(clients=1000).build(0)
    check_people(people, Oracle(), "none", 30)
    check_people(people, Auxo(), "oracle", 30)
    with pytest.raises(ConfigError, match="participants should be >= 4"):
        check_people(people, Oracle(), "none", 3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"clients": 0}, "population.clients should be >= 1"),
        ({"clients": 2**41}, "population.clients should be <= "),
        ({"degrees": ()}, "population.degrees should name at least one angle"),
        ({"degrees": (float("nan"),)}, "population.degrees should be finite"),
        ({"images_per_client": 0}, "population.images_per_client should be >= 1"),
        ({"test_fraction": 1.0}, "population.test_fraction should be in"),
    ],
)
def test_what_makes_no_population(fields, message):
    with pytest.raises(ConfigError, match=message):
        Virtual(**fields)
