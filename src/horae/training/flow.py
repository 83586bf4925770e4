"""A round that is trained some clients at a time, whose updates are asked and let go as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np

from horae.errors import HoraeError, RunError
from horae.training.arena import Arena
from horae.training.plan import Batches
from horae.training.pool import PATIENCE, Answer, Hands, Near, Part, Path, Pool, dying
from horae.training.shared_plan import shared_plan
from horae.training.streamed import Answers, Wanted
from horae.training.work import Work
from horae.types import Doubles, Floats

UNIT = 2**24  # numbers of the updates that are trained before they are asked: 64 MiB, or one client's

Told = tuple[Floats, Doubles]  # buffers, and each step's summed losses


def asked(
    path: Path, pool: Pool | None, arena: Arena, work: Work, plan: Batches, wanted: Wanted
) -> tuple[Answers, Floats, Doubles]:
    """What a round's updates answer, its buffers, and each step's summed losses. Only workers that are far away send
    all updates at once: every part would need the model anew.
    """
    answers = Answers(wanted, len(work.params))
    if pool is None:
        told = _alone(path, arena, work, plan, answers)
    elif isinstance(pool.hands, Near):
        told = _together(pool, work, plan, answers)
    else:
        updates, name = arena.take(len(work.clients), len(work.params))
        told = pool.train(work, plan, updates, name)
        answers.hear(0, updates)
    return answers.closed(), *told


def _alone(path: Path, arena: Arena, work: Work, plan: Batches, answers: Answers) -> Told:
    """In this process. The room for a unit's updates is used again for the next one's."""
    cuts = list(units(len(work.clients), work.together, len(work.params), 1))
    room, _ = arena.take(cuts[0].stop, len(work.params))
    found = []
    for cut in cuts:
        rows = room[: cut.stop - cut.start]
        found.append(path.train(work.part(cut), plan.part(cut), rows))
        answers.hear(cut.start, rows)
    return np.concatenate([b for b, _ in found]), np.concatenate([sums for _, sums in found])


def _together(pool: Pool, work: Work, plan: Batches, answers: Answers) -> Told:
    """By the pool's workers, while what they have finished is asked here, in the order of the clients."""
    params = len(work.params)
    cuts = list(units(len(work.clients), work.together, params, pool.workers))
    size, slots = cuts[0].stop, pool.workers + 1
    room, name = pool.arena.take(slots * size, params)
    shared, place = pool.arena.take(1, params)
    shared[0] = work.params
    bare, there, parts = work.bare(shared=place is not None), shared_plan(plan, pool.arena), list[Part]()
    for i, cut in enumerate(cuts):
        first = i % slots * size
        to = slice(first, first + cut.stop - cut.start)
        parts.append(Part(bare.part(cut), there.part(cut), to, room.shape, params, place, name))
    found = []
    for cut, part, answer in zip(cuts, parts, in_turn(pool.hands, parts, slots, pool.workers), strict=True):
        answers.hear(cut.start, room[part.clients] if answer.updates is None else answer.updates)
        found.append(Answer(answer.buffers, answer.sums, None))
    return np.concatenate([a.buffers for a in found]), np.concatenate([a.sums for a in found])


def in_turn(hands: Hands, parts: list[Part], slots: int, workers: int) -> Iterator[Answer]:
    """The parts' answers in their order, however often workers die; part i + slots begins when i's has been taken."""
    todo, out, failures = deque(parts), deque[tuple[Part, Callable[[], Answer]]](), 0
    try:
        while todo or out:
            try:
                while todo and len(out) < slots:
                    out.append((todo[0], hands.submit(todo[0])))
                    todo.popleft()
                answer = out[0][1]()
            except HoraeError:
                raise
            except hands.lost as error:
                todo.extendleft(part for part, _ in reversed(out))
                out.clear()
                hands.renew()
                failures += 1
                if failures >= PATIENCE:
                    raise RunError(dying(workers, error)) from None
                continue
            failures = 0
            yield answer
            out.popleft()
    finally:
        for _, wait in out:  # whoever still writes into the room
            with suppress(Exception):
                wait()


def units(clients: int, grain: int, params: int, workers: int) -> Iterator[slice]:
    """Clients who are trained before they are asked: at most a UNIT, and so few that every worker has some."""
    most = min(UNIT // max(grain * params, 1), -(-clients // (2 * grain * workers)))
    size = grain * max(1, most)
    return (slice(first, min(first + size, clients)) for first in range(0, clients, size))
