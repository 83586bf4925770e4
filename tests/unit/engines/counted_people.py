"""Clients of skewed labels for censuses among sites: the whole population, and a site's part of it."""

import json

import numpy as np

from horae.population import DigitsDirichlet, Population, Ragged

CLIENTS = 24
TABLE = {"name": "digits-dirichlet", "clients": CLIENTS, "images_per_client": 12}


def everybody():
    return DigitsDirichlet(clients=CLIENTS, images_per_client=12).build(0, None)


def counts(clients=range(CLIENTS)):
    """Labels of the training samples `(clients, 10)`."""
    people = everybody()
    return np.stack([np.bincount(people.y[rows], minlength=10) for rows in people.train.rows(np.array(clients))])


def cut(people, first, last):
    """Clients first to last, renumbered from 0."""
    train, test, used = [], [], []
    for client in range(first, last + 1):
        for rows, mine in ((people.train, train), (people.test, test)):
            mine.append(np.arange(len(used), len(used) + len(rows.row(client))))
            used += rows.row(client).tolist()
    groups = np.asarray(people.groups)[first : last + 1]
    return Population("mine", people.x[used], people.y[used], Ragged.of(train), Ragged.of(test), groups,
                      people.classes, scale=people.scale)  # fmt: skip


def some(argument):
    """`{"clients": [first, last]}`."""
    return cut(everybody(), *json.loads(argument)["clients"])


def endpoints(parts=((0, 6), (7, 15), (16, 23))):
    return [
        {
            "name": f"clients {first} to {last}",
            "population": "counted_people:some",
            "argument": json.dumps({"clients": [first, last]}),
        }
        for first, last in parts
    ]
