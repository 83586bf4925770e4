"""The loop of strategies per cohort: rounds side by side in threads, all decisions in one."""

from __future__ import annotations

import copy
import logging
import secrets
import threading
import time
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from flwr.app import ArrayRecord, MetricRecord

from horae.checkpoint import Checkpoints, read_last
from horae.errors import RunError, Stopped, one_line, require
from horae.federate import Standing
from horae.files import claimed
from horae.flower.affinity import LOGGER, described
from horae.flower.coordinating import Coordinator, Invitation
from horae.flower.grid import ONE, CohortGrid, Post, cohort_name
from horae.flower.nodes import Nodes
from horae.flower.playing import Played, play, wanted_by
from horae.flower.sketches import flattened, trained
from horae.flower.strategy_state import Inside, forgotten, learnt, recorded, restored, taught
from horae.types import Engine, Floats, Path, Split, State, Verdict

if TYPE_CHECKING:
    from horae.flower.strategies import StrategyCohorts

THREADS = 64  # cohorts that train at once
log = logging.getLogger(LOGGER)


@dataclass(frozen=True)
class Ended:
    """A cohort's round as `on_round` is told it: which, by whom, what failed, the metrics, and what it decided."""

    path: Path
    round: int
    nodes: tuple[int, ...]
    failures: dict[int, str]
    train: MetricRecord | None
    evaluate: MetricRecord | None
    verdicts: tuple[Verdict, ...] = ()


@dataclass
class _Live:
    """A cohort's own objects: its strategy and its model. since: when it last had a round."""

    strategy: Any
    arrays: ArrayRecord
    since: float = field(default_factory=time.monotonic)


class Driver:
    """One call of `start`."""

    def __init__(self, plan: StrategyCohorts, grid: Any, arrays: ArrayRecord) -> None:
        self._plan, self._grid, self._fresh = plan, grid, plan.strategy_factory()
        self._keys = trained({name: array.numpy() for name, array in arrays.items()})
        self.coordinator = Coordinator(plan.clustering, self._flat(arrays), plan.rounds, plan.participants, plan.seed)
        self._live = {leaf.path: _Live(plan.strategy_factory(), arrays) for leaf in self.coordinator.tree.leaves()}
        self._nodes = Nodes(grid, self.coordinator)
        self._running: dict[Future[Played], Invitation] = {}
        self._stop, self._failure = threading.Event(), "none"
        self._born = secrets.token_hex(8)  # to clients, a run that begins anew is another experiment
        self._saved: Checkpoints | None = None
        waits = wanted_by(self._fresh)
        self._fewest = plan.min_nodes or waits
        require(self._fewest >= waits, "min_nodes", f"be >= the {waits} that the strategy waits for", self._fewest,
                "lower its min_train_nodes and min_available_nodes too")  # fmt: skip

    def run(self) -> dict[Path, ArrayRecord]:
        """Until every cohort has trained its rounds, or nobody comes to it any more."""
        with ExitStack() as stack:
            if self._plan.checkpoint is not None:
                stack.enter_context(claimed(self._plan.checkpoint))
                self._resume(self._plan.checkpoint)
            pool = stack.enter_context(ThreadPoolExecutor(THREADS, "cohort"))
            stack.callback(self._stop.set)  # before the pool waits for its threads
            while self._begin(pool):
                self._collect()
        return {leaf.path: self._live[leaf.path].arrays for leaf in self.coordinator.tree.leaves()}

    # ---------------------------------------------------------------- one turn

    def _begin(self, pool: ThreadPoolExecutor) -> bool:
        """Start what can be started; False when nothing is left to be done."""
        running = {invitation.path for invitation in self._running.values()}
        idle = [path for path in self.coordinator.unfinished if path not in running]
        if not idle or (running and self._plan.lockstep):
            return bool(running)
        there = self._nodes.present()
        if not running and self._too_long(idle, len(there)):
            return False
        busy = {client for i in self._running.values() for client in i.clients.tolist()}
        free = np.array(sorted(there - busy - self._nodes.busy), np.int64)
        found = self.coordinator.match(free, idle, len(there), self._fewest, self._plan.overcommit)
        for path, invitation in found.items():
            live, view = self._live[path], self._view(invitation)
            turn = self.coordinator.tree[path].round + 1
            self._running[pool.submit(play, self._plan, live.strategy, turn, live.arrays, view)] = invitation
        if not self._running:
            time.sleep(self._plan.poll_s)
        return True

    def _too_long(self, idle: list[Path], there: int) -> bool:
        """Has nobody trained for longer than there is patience? Errors: RunError if nobody ever did."""
        waited, limit = time.monotonic() - max(self._live[path].since for path in idle), self._plan.patience_s
        if waited < limit:
            return False
        if any(leaf.round for leaf in self.coordinator.tree.leaves()):
            names = ", ".join(map(cohort_name, idle))
            log.warning("cohorts %s end before their last round: nobody trained for %g s", names, limit)
            return True
        if there < self._fewest:
            for_s = f"for {limit:g} s; start more SuperNodes, or lower min_nodes"
            raise RunError(f"min_nodes should be at most the nodes there, got {self._fewest} where {there} are {for_s}")
        raise RunError(f"nobody trained for {limit:g} s, of {there} nodes; the last failure: {self._failure}")

    def _collect(self) -> None:
        """Wait for rounds to end, and draw what follows from them, in order of the cohorts."""
        if not self._running:
            return
        alone = len(self._running) == len(self.coordinator.unfinished)
        when = ALL_COMPLETED if self._plan.lockstep else FIRST_COMPLETED
        done, _ = wait(self._running, None if alone or self._plan.lockstep else self._plan.poll_s, when)
        order = sorted(done, key=lambda one: self._running[one].path)
        ends = [self._land(self._running[future], future.result()) for future in order]
        for future in done:
            del self._running[future]
        if ends:
            self._save()
        if self._plan.on_round is not None:
            for end in ends:
                self._plan.on_round(end)  # what is told has been saved

    def _land(self, invitation: Invitation, played: Played) -> Ended:
        """A round has ended: requests first, then the model, then who belongs where."""
        path, view = invitation.path, played.view
        self._nodes.answered(view, self._plan.deadline_s)
        self._failure = next((f"node {n}: {why}" for n, why in view.failures.items()), self._failure)
        live, verdicts = self._live[path], list[Verdict]()
        turn = self.coordinator.tree[path].round + 1
        if played.arrays is not None and played.heard.clients.size:
            live.arrays, live.since = played.arrays, time.monotonic()
            inside = self._inside(live)
            verdicts = self.coordinator.learn(invitation, played.heard, self._flat(live.arrays), inside)
            for verdict in verdicts:
                if isinstance(verdict, Split):
                    self._split(verdict)
        else:
            time.sleep(self._plan.poll_s)  # nobody sent anything: do not ask again at once
        nodes = tuple(self._nodes.ids[c] for c in played.heard.clients.tolist())
        return Ended(path, turn, nodes, dict(view.failures), played.train, played.evaluate, tuple(verdicts))

    def _split(self, split: Split) -> None:
        """Each child gets its parent's arrays and a deep copy of its strategy."""
        parent = self._live.pop(split.path)
        log.info("cohort %s: %s", cohort_name(split.path), split.reason)
        for child in range(split.k):
            try:
                strategy = copy.deepcopy(parent.strategy)
            except Exception as error:  # whatever somebody else's strategy holds
                log.warning("%s cannot be copied (%s): children of %s begin with what a checkpoint can hold of it",
                            type(parent.strategy).__name__, one_line(error, 80), cohort_name(split.path))  # fmt: skip
                strategy = taught(self._plan.strategy_factory(), learnt(parent.strategy, self._fresh))
            self._live[(*split.path, child)] = _Live(strategy, ArrayRecord(dict(parent.arrays)))

    def _view(self, invitation: Invitation) -> CohortGrid:
        plan, path = self._plan, invitation.path
        common = {"run": f"{plan.name}/{self._born}", "clustering": described(plan.clustering)}
        told = {
            self._nodes.ids[client]: {**common, "feedback": self.coordinator.roll.outgoing(client)}
            for client in invitation.clients.tolist()
        }
        group = f"{cohort_name(path)}/{self.coordinator.tree[path].round + 1}"
        post = Post(plan.deadline_s, plan.poll_s, self._keys, getattr(plan.clustering, "dims", 1024), self._stop)
        return CohortGrid(self._grid, group, told, invitation.quorum, post)

    def _flat(self, arrays: ArrayRecord) -> Floats:
        with ONE:
            return flattened({name: array.numpy() for name, array in arrays.items()}, self._keys)

    # ---------------------------------------------------------------- checkpoints

    def snapshot(self) -> State:
        """What a checkpoint holds beside the cohorts."""
        identity = {"name": self._plan.name, "seed": self._plan.seed, "clustering": described(self._plan.clustering)}
        identity["strategy"] = type(self._fresh).__name__
        return {"identity": identity, "born": self._born, "coordinator": self.coordinator.snapshot()}

    def restore(self, state: State) -> None:
        """Back to a snapshot of the same experiment. Errors: RunError."""
        mine = self.snapshot()["identity"]
        for name, was in state["identity"].items():
            if mine[name] != was:
                raise RunError(f"{name} should be {was!r} as in the checkpoint {self._plan.checkpoint}, got "
                               f"{mine[name]!r}; put it back, or name another checkpoint")  # fmt: skip
        self._born = state["born"]
        self.coordinator.restore(state["coordinator"])

    def _resume(self, directory: FilePath) -> None:
        """Go on where the last checkpoint stood, or begin."""
        self._saved = Checkpoints(directory, {}, {"cohorts": self}, stop=lambda: True)
        found = read_last(directory, {}, lambda parts: None)
        for what in forgotten(self._fresh):
            log.warning("%s is nothing that a checkpoint can hold: after a crash it begins anew", what)
        if found is None:
            return
        self.restore(found.parts["cohorts"])
        tree, now = found.standing.tree, next(iter(self.coordinator.tree)).params.size
        then = next(iter(tree)).params.size
        require(then == now, "initial_arrays", f"have {then} parameters as in the checkpoint {directory}", now)
        self.coordinator.tree = tree
        self._live = {leaf.path: self._revived(leaf.algorithm) for leaf in tree.leaves()}
        rounds = ", ".join(f"{cohort_name(leaf.path)} after round {leaf.round}" for leaf in tree.leaves())
        log.info("going on from %s: cohorts %s", directory, rounds)

    def _revived(self, inside: Inside | None) -> _Live:
        assert inside is not None  # a cohort is saved after its first round, or with its parent's
        strategy = taught(self._plan.strategy_factory(), inside.learnt)
        return _Live(strategy, restored(inside.arrays))

    def _inside(self, live: _Live) -> Inside | None:
        return None if self._saved is None else Inside(recorded(live.arrays), learnt(live.strategy, self._fresh))

    def _save(self) -> None:
        """After every round, before any message goes out that follows from it."""
        tree = self.coordinator.tree
        if self._saved is not None and all(leaf.algorithm is not None for leaf in tree.leaves()):
            with suppress(Stopped):  # asked to stop, it writes at once
                self._saved.look(Standing(tree), cast(Engine, None), over=False)
