"""A small federation for the executor's tests, which worker processes can make too: clients with five samples each of
two numbers, a linear model 2 -> 2 of six numbers. Odd clients can be made to die or to sleep.
"""

import json
import os
import time
from dataclasses import replace

import numpy as np
from torch import nn

from horae.algorithms import FedAvg
from horae.alignment import Off
from horae.clustering import Single
from horae.data_planes import Inline
from horae.engines.costs import FedScaleCost
from horae.engines.messages import Recipe
from horae.engines.world import World
from horae.federate import Budget
from horae.population import AlwaysOnline, Population, UniformDevices
from horae.pruning import Dense
from horae.selectors import Uniform
from horae.training import Trainer, Training
from horae.types import Plan

CLIENTS = 6


def plan(**changes):
    base = Plan(
        0, 3, 1.0, Budget(participations=9), FedAvg(), Uniform(), Single(), Dense(), Off(), (), Inline(),
    )  # fmt: skip
    return replace(base, **changes)


class Moody(Trainer):
    """Trains, but for some clients: those who `die` end their process, those who `sleep` take so many seconds, those
    who `fail` raise.
    """

    moods: dict

    def train(self, work):
        client = int(work.clients[0])
        if client in self.moods.get("die", ()):
            os._exit(9)
        if client in self.moods.get("sleep", ()):
            time.sleep(self.moods["seconds"])
        if client in self.moods.get("fail", ()):
            raise ArithmeticError("a nan\nin a haystack")
        return super().train(work)


def world(clients=CLIENTS, module=None, **moods):
    rng = np.random.default_rng(0)
    people = Population.from_arrays([(rng.normal(size=(5, 2)), np.array([0, 1, 0, 1, 0])) for _ in range(clients)])
    if module is None:
        module = nn.Linear(2, 2)
        nn.init.constant_(module.weight, 0.1)
        nn.init.constant_(module.bias, 0.0)
    trainer = Moody(module, Training(steps=1, batch=4), people.x, people.y, 0)
    trainer.moods = moods
    return World(people, UniformDevices(), AlwaysOnline(), trainer, FedScaleCost())


def recipe(**moods):
    return Recipe("sites:built", json.dumps(moods))


def wide():
    """Five million weights: 20 MB."""
    return nn.Sequential(nn.Linear(2, 1_000_000), nn.Linear(1_000_000, 2))


def built(text):
    moods = json.loads(text)
    return plan(), world(module=wide() if moods.pop("big", False) else None, **moods)
