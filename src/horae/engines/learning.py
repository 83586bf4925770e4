"""What simulated clients compute when their round ends, and what the server hears of it."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from horae.engines.costs import Job
from horae.engines.delivery import Delivery
from horae.engines.flight import Flight
from horae.engines.foreseen import Leaves, foreseen
from horae.engines.jobs import job_of
from horae.engines.replies import Replies, joined
from horae.engines.shapes import Shapes
from horae.engines.vectors import Vectors
from horae.engines.views import Views
from horae.engines.world import World
from horae.errors import HoraeError, RunError, one_line
from horae.training import Trained, Work
from horae.training.streamed import large
from horae.training.work import merged
from horae.types import (
    Charge,
    Correction,
    Doubles,
    Floats,
    Held,
    Ints,
    Keeping,
    Outcome,
    Personal,
    Plan,
    Round,
    State,
    Tuning,
    Updates,
)

ATTEMPTS = 3  # at a round's training


class Learning:
    """Local training for the simulator. kept: what a `Keeping` algorithm's clients keep; own: their own models;
    delivery: how updates arrive; shapes: what each submodel is, and who has it; views: their samples.
    """

    def __init__(self, plan: Plan, world: World) -> None:
        self.plan, self.world = plan, world
        self.kept, self.own, self.delivery = Vectors(), Vectors(), Delivery(plan.channels, plan.seed)
        self.shapes, self.views = Shapes(world.trainer), Views(plan, world)

    def job(self, round: Round, at_s: float) -> Job:
        """What each of the invited will have to do."""
        return job_of(round, at_s, self.plan, self.world, self.shapes, self.views)

    def outcome(
        self, flight: Flight, model: dict[str, Floats], charges: tuple[Charge, ...], leaves: Leaves | None = None
    ) -> Outcome:
        """Train those that were kept, pass their updates through the channels, and hand everything over. leaves: all
        cohorts' models; None: not known.
        """
        round, trainer = flight.round, self.world.trainer
        leaves = None if flight.late else leaves
        groups = [self._replies(round, flight.kept, model, flight.durations_s, flight.started_s, 0, leaves)]
        for straggler in flight.late:
            base, lasts = {"params": straggler.params, "buffers": straggler.buffers}, straggler.round.invited.size
            durations, row = np.full(lasts, straggler.duration_s), np.array([straggler.row])
            began_s, behind = straggler.arrives_s - straggler.duration_s, round.number - straggler.round.number
            groups.append(self._replies(straggler.round, row, base, durations, began_s, behind))
        if flight.late:
            groups = [replace(group, updates=Updates(group.updates.rows.copy())) for group in groups]
        together = {name: np.concatenate([getattr(g, name) for g in groups]) for name in _COLUMNS}
        clients = together["clients"]
        samples = self.views.told(together["sizes"])
        shares = (samples / max(samples.sum(), 1)).astype(np.float32)
        alone = len(groups) == 1
        updates = groups[0].updates if alone else Updates(np.concatenate([g.updates.rows for g in groups]))
        extras = [g.extra for g in groups if g.extra is not None]
        bent = any(g.seen is not None for g in groups)
        plain = [g.updates.rows if g.seen is None else g.seen for g in groups] if bent else []
        buffers = shares @ together["buffers"] if clients.size else trainer.initial_buffers
        return Outcome(
            round, flight.started_s, flight.at_s, clients, updates, buffers, samples, together["losses"],
            together["durations_s"], together["claims"], together["exploring"], flight.stragglers, flight.dropouts,
            charges, staleness=together["staleness"] if round.carry else None, steps=together["steps"],
            lr=self._lr(round), extra=np.concatenate(extras).mean(axis=0) if extras and clients.size else None,
            population=self.world.population.clients, seen=Updates(np.concatenate(plain)) if plain else None,
            held=joined([g.held for g in groups], [g.clients.size for g in groups]),
        )  # fmt: skip

    def train(self, work: Work) -> Trained:
        """Training that is done again from the same model if it fails. Errors: RunError."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self.world.trainer.train(work)
            except HoraeError:
                raise
            except Exception as error:
                which = f"round {work.round} of cohort {'.'.join(map(str, (0, *work.path)))}"
                why = one_line(f"{type(error).__name__}: {error}", 160)
                if attempt == ATTEMPTS:
                    raise RunError(f"{which} failed {ATTEMPTS} times ({why})") from error
                logging.getLogger(__name__).warning("%s failed (%s) and is done again", which, why)
        raise AssertionError  # one of the two happened

    def personal(
        self, tuning: Tuning, clients: Ints, params: Floats, buffers: Floats, rows: list[Ints], number: int
    ) -> Floats:
        """These clients' own models, `(q, params)`: those they keep, or by local training from this one, with the
        batches and the learning rate of round `number`.
        """
        if tuning.remembered:
            return self.own.of(clients, params)
        work = Work(params, buffers, clients, rows, number, steps=tuning.steps, lr_scale=self._scale(tuning, number),
                    correction=Correction(prox=tuning.prox))  # fmt: skip
        tuned: Floats = params + self.train(work).updates
        return tuned

    def snapshot(self) -> State:
        """What clients keep."""
        return self.kept.snapshot(), self.own.snapshot(), self.delivery.snapshot(), self.shapes.snapshot()

    def restore(self, state: State) -> None:
        """Back to a snapshot."""
        self.kept.restore(state[0])
        self.own.restore(state[1])
        self.delivery.restore(state[2])
        self.shapes.restore(state[3])

    # ---------------------------------------------------------------- one model's clients

    def _replies(
        self, round: Round, rows: Ints, model: dict[str, Floats], durations: Doubles, at_s: float, behind: int,
        leaves: Leaves | None = None,
    ) -> Replies:  # fmt: skip
        clients, trainer, algorithm = round.invited[rows], self.world.trainer, self.plan.algorithm
        nothing = np.zeros(0)
        if not clients.size:
            none = np.zeros((0, trainer.n_params), np.float32)
            flat = np.zeros((0, trainer.initial_buffers.size), np.float32)
            column = nothing.astype(bool)
            return Replies(
                clients, Updates(none), flat, nothing, clients, nothing, column, nothing, clients, clients, None
            )
        held = None if round.held is None else round.held.only(rows)
        correction, mine = round.correction, None
        if isinstance(algorithm, Keeping):
            mine = self.kept.of(clients, np.zeros(trainer.n_params, np.float32))
            correction = algorithm.bend(round.correction, mine)
        rows_of, weights = self.views.of(round, clients, at_s)
        efforts = None if round.efforts is None else round.efforts[rows]
        sizes, wanted = np.array([len(r) for r in rows_of], np.int64), None
        if leaves is not None and self._as_told(round) and large(clients.size, trainer.n_params):
            wanted = foreseen(self.plan, self.views.told(sizes), round.path, leaves)
        work = Work(
            model["params"], model["buffers"], clients, rows_of, round.number, round.path, round.lr_scale, correction,
            efforts=efforts, weights=weights, wanted=wanted,
        )  # fmt: skip
        done = self._train_held(work, held)
        told, extra, seen = done.told, None, None
        if not self._as_told(round):
            told, extra, seen = self._delivered(round, rows, work, held, done, mine, at_s)
        return Replies(
            clients, told, done.buffers, done.losses, done.steps, round.claims[rows], round.exploring[rows],
            durations[rows], np.full(clients.size, behind), sizes, extra, seen, held,
        )  # fmt: skip

    def _delivered(
        self, round: Round, rows: Ints, work: Work, held: Held | None, done: Trained, mine: Floats | None, at_s: float
    ) -> tuple[Updates, Floats | None, Floats | None]:
        """The updates as they arrive, what clients send beside them, and what may be compared if that is not the same.

        mine: what a `Keeping` algorithm's clients kept.
        """
        clients, algorithm, correction = work.clients, self.plan.algorithm, work.correction
        extra, seen = None, None
        updates = self.delivery.read(round, rows, done.updates)
        if mine is not None and isinstance(algorithm, Keeping):
            lr = self._lr(round)
            later, extra = algorithm.keep(round.correction, mine, done.updates, done.steps, lr)
            self.kept.put(clients, later)
            if correction.drift is not None:
                seen = updates + (np.float32(lr) * done.steps.astype(np.float32))[:, None] * correction.drift
        if self.views.probes(round):
            updates = updates.copy() if updates is done.updates else updates  # the trainer's room is used again
            as_they_are = self.world.population.train_at(clients, at_s)
            seen = self._train_held(replace(work, rows=as_they_are, weights=None), held).updates
        if held is not None and len(held.submodels) > 1:  # updates are compared where everybody has weights
            seen = (updates if seen is None else seen) * held.everybody()
        if isinstance(algorithm, Personal) and algorithm.tuning.remembered:
            if self.plan.channels == () and updates is done.updates:
                updates = updates.copy()  # the trainer's room is used again
            self._train_own(algorithm.tuning, work, held)
        return Updates(updates), extra, seen

    def _as_told(self, round: Round) -> bool:
        """Whether updates arrive as they are, and nobody looks into them on the way."""
        algorithm = self.plan.algorithm
        looks = isinstance(algorithm, Keeping) or (isinstance(algorithm, Personal) and algorithm.tuning.remembered)
        changes = self.plan.channels or round.held is not None or round.sent is not None
        return not (looks or changes or self.views.probes(round))

    def _train_own(self, tuning: Tuning, work: Work, held: Held | None) -> None:
        """Each client goes on with its own model v: v ← v - lr (g(v) + prox (v - w)), w the model of the round."""
        scale, prox = self._scale(tuning, work.round), np.float32(tuning.prox)
        for row, client in enumerate(work.clients):
            alone = work.clients[row : row + 1]
            start = self.own.of(alone, work.params)[0]
            pull = Correction(prox=tuning.prox, drift=(prox * (start - work.params))[None])
            own = Work(start, work.buffers, alone, [work.rows[row]], work.round, work.path, scale, pull,
                       steps=tuning.steps)  # fmt: skip
            mine = None if held is None else held.only(np.array([row]))
            self.own.put(np.array([client]), start + self._train_held(own, mine).updates)

    def _lr(self, round: Round) -> float:
        return self.world.trainer.training.lr_at(round.number) * round.lr_scale

    def _scale(self, tuning: Tuning, number: int) -> float:
        return tuning.lr / self.world.trainer.training.lr_at(number) if tuning.lr else 1.0

    def _train_held(self, work: Work, held: Held | None) -> Trained:
        """Training of clients who may hold different weights."""
        if held is None:
            return self.train(work)
        which, parts = held.of(len(work.clients)), []
        for i in np.unique(which).tolist():
            rows = np.flatnonzero(which == i)
            shape = self.shapes.of(held.submodels[i])
            done = self.train(replace(work.some(rows), keep=held.submodels[i].keep, units=shape.units))
            parts.append((rows, done))
        return parts[0][1] if len(parts) == 1 else merged(parts, len(work.clients))


_COLUMNS = ("clients", "buffers", "losses", "steps", "claims", "exploring", "durations_s", "staleness", "sizes")
