"""A round's plan in memory that workers share: the same plan, and a message that no pipe is too small for."""

import multiprocessing
import os
import pickle

import numpy as np
import pytest

from horae.training.arena import Arena
from horae.training.plan import Batches
from horae.training.shared_plan import SMALL, SharedPlan, shared_plan

linux = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory is shared by name on Linux only")


def plan_of(clients=200, steps=4, batch=11):
    rng = np.random.default_rng(0)
    shape = (clients, steps, batch)
    counts = rng.integers(0, batch, shape[:2])
    return Batches(rng.integers(0, 2**40, shape), rng.random(shape).astype(np.float32), counts)


def same(one, other):
    for name in ("index", "weight", "counts"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


def opened(lies):
    return lies.opened()


@linux
@pytest.mark.parametrize("batch", [11, 10])  # an odd number of floats before what counts, and an even one
def test_another_process_finds_its_part(batch):
    plan, arena = plan_of(600, 3, batch), Arena(shared=True)
    there = shared_plan(plan, arena)
    assert isinstance(there, SharedPlan)
    part = slice(50, 520)
    assert len(pickle.dumps(there.part(part))) < 1000 < 64 * 2**10 < len(pickle.dumps(plan.part(part)))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        same(pool.apply(opened, (there.part(part),)), plan.part(part))
    same(there.opened(), plan)
    arena.close()


@linux
def test_the_room_is_used_again_once_nobody_holds_the_plan():
    arena = Arena(shared=True)
    there = shared_plan(plan_of(), arena)
    part = there.part(slice(0, 1))
    assert arena._free == [] and part.room is None
    del there
    assert len(arena._free) == 1


def test_small_plans_and_those_that_nobody_shares_go_as_they_are():
    small, large = plan_of(clients=2), plan_of()
    assert small.index.size < SMALL // 3 and shared_plan(small, Arena(shared=True)) is small
    assert shared_plan(large, Arena()) is large
