"""The loop: match, select, execute, aggregate, feed back, reshape.

One turn is one cohort's round, in the order in which rounds end. Everything that differs between methods is a
component of the plan; everything about clients, time and place is the engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Protocol

import numpy as np

from horae.errors import RunError
from horae.ledger import Ledger
from horae.pure.states import where
from horae.pure.streams import stream
from horae.types import (
    ROOT,
    UNKNOWN,
    Ask,
    Bools,
    Cohort,
    CohortTree,
    Correction,
    Doubles,
    Engine,
    Feedback,
    Floats,
    Forecasting,
    Ints,
    Late,
    Lockstep,
    Losses,
    LossReading,
    News,
    Outcome,
    Pacing,
    Path,
    Plan,
    Recorder,
    Round,
    Searching,
    Server,
    Split,
    State,
    Tethering,
    Verdict,
)


@dataclass(frozen=True)
class Budget:
    """What ends a run: exactly one of participations, simulated_s and bytes (up and down together) is positive."""

    participations: int = 0
    simulated_s: float = 0.0
    bytes: int = 0

    def spent(self, participations: int, simulated_s: float, nbytes: int) -> float:
        """The share that is used; 1 or more when the run is over."""
        pairs = ((participations, self.participations), (simulated_s, self.simulated_s), (nbytes, self.bytes))
        return max(used / limit for used, limit in pairs if limit > 0)


@dataclass(frozen=True)
class Standing:
    """Where a run stands between two rounds, the engine aside: what the loop needs to go on.

    running: cohorts whose round is in flight. spent: the share of the budget that is used. last_reply_s: when anybody
    last took part. shared: rounds begun that all cohorts share. alignment: what is known of the population's labels.
    """

    tree: CohortTree
    running: tuple[Path, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    spent: float = 0.0
    last_reply_s: float = 0.0
    shared: int = 0
    alignment: State = None


class Observer(Protocol):
    """Something that looks on: it may ask clients, uncharged, and changes nothing."""

    def look(self, standing: Standing, engine: Engine, *, over: bool) -> None:
        """Called before the first round and after every one; over=True after the last."""


def federate(
    plan: Plan,
    begin: tuple[Floats, Floats] | Standing,
    engine: Engine,
    recorder: Recorder,
    observers: Sequence[Observer] = (),
) -> Standing:
    """Train one model per cohort until the plan's budget is spent, and hand back the cohorts and the ledger.

    begin: the first model's (params, buffers), or where an earlier run stood, its engine restored. Cohorts never wait
    for each other unless their clustering says so (Auxo 3.2, steps 0-4). Rounds still in flight when the budget is
    spent are thrown away, and billed as far as they went. A run to which nobody comes for `plan.patience_s` ends.
    Updates that are not finite are refused.
    """
    if isinstance(begin, Standing):
        standing = begin
    else:
        tree = plan.clustering.prepare(first_tree(plan, begin, engine.ask), engine.ask)
        standing = Standing(tree, alignment=plan.alignment.begin(plan.seed))
        for observer in observers:
            observer.look(standing, engine, over=False)
    if plan.aggregator is not None:
        plan.aggregator.keep(standing.tree.paths())
    standing = start_ready(plan, standing, engine)
    for outcome in engine.finished():
        try:
            standing, over = turn(plan, standing, outcome.healthy(), engine, recorder)
        except RunError:  # an update is gone: the log has the round and its failures, the checkpoint what was before
            recorder.round(outcome, standing.tree, [], None)
            raise
        for observer in observers:
            observer.look(standing, engine, over=over)
        if over:
            break
        standing = start_ready(plan, standing, engine)
    return standing


def start_ready(plan: Plan, standing: Standing, engine: Engine) -> Standing:
    """1. Match, 2. select and 3. execute: a round for every cohort that may start one."""
    tree, running = standing.tree, standing.running
    if isinstance(plan.clustering, Lockstep):
        return standing if running else start_together(plan, standing, engine, plan.clustering)
    quota = plan.clustering.quota(tree, plan.participants_at(standing.spent))
    for path in plan.clustering.ready(tree, frozenset(running)):
        engine.start(invite(plan, standing, path, quota[path], engine))
        running = (*running, path)
    return replace(standing, running=running)


def start_together(plan: Plan, standing: Standing, engine: Engine, clustering: Lockstep) -> Standing:
    """A round that all cohorts share: its clients are drawn from everybody, and train where they belong."""
    tree, quorum = standing.tree, plan.participants_at(standing.spent)
    clients = engine.gather(tree, plan.selector.offers(ceil(plan.overcommit * quorum)), standing.shared)
    tree = clustering.meet(tree, clients, engine.ask)
    standing = replace(standing, tree=tree)
    leaf = engine.route(tree, clients) if clients.size else clients
    running = []
    for i, path in enumerate(tree.paths()):
        members = clients[leaf == i]
        wanted = round(members.size * quorum / max(clients.size, 1))
        if members.size:
            nobody, known = np.full(members.size, np.nan), np.zeros(members.size, bool)
            engine.start(invitation(plan, standing, path, max(1, wanted), (members, nobody, known), engine))
            running.append(path)
    if not running:  # nobody is there: wait, in the first cohort's name
        path = tree.paths()[0]
        empty = (np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool))
        engine.start(invitation(plan, standing, path, quorum, empty, engine))
        running.append(path)
    return replace(standing, running=tuple(running), shared=standing.shared + 1)


def turn(plan: Plan, standing: Standing, outcome: Outcome, engine: Engine, recorder: Recorder) -> tuple[Standing, bool]:
    """One cohort's round has ended: what follows from it, and whether the run is over."""
    tree, path = standing.tree, outcome.round.path
    plan.data_plane.evict(outcome.round.model)
    ledger, last_reply_s = standing.ledger.plus(outcome.charges), standing.last_reply_s
    spent = plan.budget.spent(ledger.participations, outcome.at_s, ledger.nbytes_up + ledger.nbytes_down)
    verdicts: list[Verdict] = []
    feedback: Feedback | None = None
    # 4. Aggregate: one server step along the weighted mean of the updates.
    cohort, lost = (None, ()) if outcome.empty else stepped(plan, tree[path], outcome)
    if not outcome.empty:
        last_reply_s = outcome.at_s
    if cohort is not None:
        frozen = isinstance(plan.clustering, Searching) and plan.clustering.searching(tree, spent)
        params, weights = plan.pruning.learn(cohort.pruning, cohort.params, outcome, engine.ask, frozen=frozen)
        cohort = replace(cohort, params=params, pruning=weights)
        # 5. Feed back: what this round taught about who belongs here goes to the clients, not to a table.
        memory, feedback = plan.clustering.learn(cohort.clustering, outcome.unbent, tree)
        engine.tell(feedback)
        tree = tree.put(replace(cohort, clustering=memory))
        # 6. Reshape: split a cohort that holds discernible groups large enough to train alone.
        verdicts = plan.clustering.reshape(memory, path, tree, plan.participants_at(spent), spent)
        tree = reshape(plan, tree, verdicts, engine)
    running = tuple(other for other in standing.running if other != path)
    if isinstance(plan.clustering, Lockstep) and not running:
        tree, verdicts = plan.clustering.settle(tree, plan.participants_at(spent), spent, engine.ask)
    known, news = plan.alignment.learn(standing.alignment, outcome, tree, engine.ask)
    recorder.round(replace(outcome, news=(*outcome.news, *lost, *news)), tree, verdicts, feedback)
    if plan.aggregator is not None:
        plan.aggregator.keep(tree.paths())
    over = spent >= 1 or outcome.at_s - last_reply_s > plan.patience_s
    if over:
        ledger = ledger.plus(engine.settle())
    return Standing(tree, running, ledger, spent, last_reply_s, standing.shared, known), over


def first_tree(plan: Plan, model: tuple[Floats, Floats], ask: Ask) -> CohortTree:
    """The root alone, with every component's first state."""
    buffers = model[1]
    params, pruning = plan.pruning.begin(*model, plan.seed, ask)
    root = Cohort(
        path=ROOT,
        params=params,
        buffers=buffers,
        algorithm=plan.algorithm.init(params),
        selector=plan.selector.init(),
        clustering=plan.clustering.init(),
        pruning=pruning,
    )
    return CohortTree({ROOT: root})


def invite(plan: Plan, standing: Standing, path: Path, quorum: int, engine: Engine) -> Round:
    """A round for this cohort: a few more clients than the quorum, of those whose request led here."""
    wanted = plan.selector.offers(ceil(plan.overcommit * quorum))
    tree = standing.tree
    return invitation(plan, standing, path, quorum, engine.check_in(tree, path, wanted, tree[path].round), engine)


def invitation(
    plan: Plan, standing: Standing, path: Path, quorum: int, there: tuple[Ints, Doubles, Bools], engine: Engine
) -> Round:
    """A round for this cohort with those whom the selector picks. there: ids, claims, exploring of the candidates."""
    cohort, (members, claims, exploring) = standing.tree[path], there
    carry = max((part.staleness for part in (plan.algorithm, plan.selector) if isinstance(part, Late)), default=0)
    wanted = max(0, ceil(plan.overcommit * quorum) - (engine.carried(path) if carry else 0))
    invited = pick(plan, cohort, members, wanted, engine)
    rows = np.searchsorted(members, invited)
    paced = plan.selector.efforts(cohort.selector, invited) if isinstance(plan.selector, Pacing) else (None, None)
    return Round(
        path=path,
        number=cohort.round,
        model=plan.data_plane.put({"params": cohort.params, "buffers": cohort.buffers}, path),
        invited=invited,
        quorum=quorum,
        deadline_s=plan.deadline_s,
        claims=claims[rows],
        exploring=exploring[rows],
        correction=correction(plan, standing.tree, cohort),
        target=plan.alignment.target(standing.alignment, path),
        held=plan.pruning.plan(cohort.pruning, cohort.round, invited, engine.ask),
        lr_scale=min(1.0, quorum / plan.participants) if plan.linear_lr else 1.0,
        carry=carry,
        efforts=paced[0],
        sent=paced[1],
    )


def correction(plan: Plan, tree: CohortTree, cohort: Cohort) -> Correction:
    """What bends local training: the algorithm's, and λ (w - ω) where the clustering holds its cohorts at a model ω.

    With w0 the round's first model, λ (w - ω) = λ (w - w0) + λ (w0 - ω).
    """
    bent = plan.algorithm.correction(cohort.algorithm)
    held = plan.clustering.tether(tree) if isinstance(plan.clustering, Tethering) else None
    if held is None:
        return bent
    strength, model = held
    drift = np.float32(strength) * (cohort.params - model)
    return replace(bent, prox=bent.prox + strength, drift=drift if bent.drift is None else bent.drift + drift)


def pick(plan: Plan, cohort: Cohort, members: Ints, n: int, engine: Engine) -> Ints:
    """The selector's choice, with what else it wants to know."""
    selector, rng = plan.selector, stream(plan.seed, "select", cohort.round, *cohort.path)
    given = (cohort.selector, members, n, engine.opens_s, rng)
    if isinstance(selector, Forecasting):
        return selector.pick_staying(*given, engine.stays)
    if isinstance(selector, LossReading):
        model = ((cohort.params,), (cohort.buffers,))
        return selector.pick_by_loss(*given, lambda clients: engine.ask(Losses(clients, *model))[:, 0])
    return selector.pick(*given)


def stepped(plan: Plan, cohort: Cohort, outcome: Outcome) -> tuple[Cohort | None, tuple[News, ...]]:
    """The cohort after one server step, here or by its aggregator; None where that is lost with its round, and why."""
    return (aggregate(plan, cohort, outcome), ()) if plan.aggregator is None else plan.aggregator.step(cohort, outcome)


def aggregate(plan: Plan | Server, cohort: Cohort, outcome: Outcome) -> Cohort:
    """The cohort after one server step: direction = Σ weight_i update_i / Σ weight_i, per weight over those who train
    it. A weight that nobody trained stays as it was, and so does what the server's optimiser knew of it at first.
    """
    weights = plan.algorithm.weigh(outcome)
    total = weights.sum()
    if total <= 0:  # nobody had anything to say
        return replace(cohort, round=cohort.round + 1)
    rng = stream(plan.seed, "aggregate", cohort.round, *cohort.path)
    rule, held = plan.aggregation, outcome.held
    shares = weights / total
    direction = rule.combine(outcome.updates, shares, rng) if rule else outcome.updates.combine(shares)
    mass = None if held is None else held.mass(shares)
    if mass is not None:
        direction = np.divide(direction, mass, out=np.zeros_like(direction), where=mass > 0)
    params, optimiser = plan.algorithm.step(cohort.algorithm, cohort.params, direction, outcome)
    if held is not None:
        trained = held.anybody(len(outcome.clients))
        params = np.where(trained, params, cohort.params)
        optimiser = where(trained, optimiser, plan.algorithm.init(cohort.params))
    return replace(
        cohort,
        params=params,
        buffers=outcome.buffers,
        round=cohort.round + 1,
        algorithm=optimiser,
        selector=plan.selector.learn(cohort.selector, outcome),
    )


def reshape(plan: Plan, tree: CohortTree, verdicts: Sequence[Verdict], engine: Engine) -> CohortTree:
    """Carry out the splits, and tell the members that are known where they belong now."""
    for verdict in verdicts:
        if isinstance(verdict, Split):
            tree = tree.split(verdict.path, verdict.k, plan.clustering.init())
            engine.tell(news(verdict, tree))
    return tree


def news(split: Split, tree: CohortTree) -> Feedback:
    """The message that tells the known members of a cohort that it split, and which child is theirs."""
    n = split.clients.size
    return Feedback(
        split.path, split.clients, np.full(n, np.nan), split.cluster, tree.paths(), np.full(n, UNKNOWN), visit=0
    )
