"""What endpoints bring along in the tests: clients of `digits-rotated`, cut out of the whole."""

import json

import numpy as np

from horae.population import DigitsRotated, Population, Ragged

CLIENTS = 8


def everybody():
    return DigitsRotated(clients=CLIENTS, images_per_client=12).build(0, None)


def some(argument):
    """Of clients first to last: `{"clients": [first, last]}`."""
    first, last = json.loads(argument)["clients"]
    people, train, test, used = everybody(), [], [], []
    for client in range(first, last + 1):
        for rows, mine in ((people.train, train), (people.test, test)):
            mine.append(np.arange(len(used), len(used) + len(rows.row(client))))
            used += rows.row(client).tolist()
    x, y, groups = people.x[used], people.y[used], np.asarray(people.groups)[first : last + 1]
    return Population("mine", x, y, Ragged.of(train), Ragged.of(test), groups, people.classes, scale=people.scale)


def nothing(argument):
    return argument


def broken(argument):
    raise OSError("the disk is\ngone")
