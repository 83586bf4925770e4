"""The virtual clock and the bills, on hand-made clients.

Everybody holds five samples of two numbers, four of them for training. The model is one linear layer 2 -> 2: 4 weights
and 2 biases, so 24 bytes each way and 2 x 4 = 8 FLOPs a sample. One step of 4 samples is 3 x 4 x 8 = 96 FLOPs.
"""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from torch import nn

from horae.algorithms import FedAvg
from horae.alignment import Off
from horae.clustering import Auxo, Oracle, Single
from horae.data_planes import Inline
from horae.engines import Simulation, World
from horae.engines.simulation import Pace
from horae.experiment import load
from horae.federate import Budget, federate
from horae.population import AlwaysOnline, Population
from horae.pruning import Dense
from horae.runner import train
from horae.selectors import Uniform
from horae.training import Trainer, Training
from horae.types import ROOT, Capacity, Cohort, CohortTree, Evaluate, Groups, Plan, Round

NBYTES, FLOPS = 24, 96


@dataclass(frozen=True)
class Phones:
    """Client i's participation lasts seconds[i]."""

    seconds: tuple[float, ...]

    def capacity(self, clients, seed):
        return Capacity(np.array(self.seconds)[clients], np.ones(len(clients)))


class Lasts:
    """A participation lasts what the device says, whatever the work."""

    def seconds(self, job, capacity):
        return capacity.ms_per_sample


@dataclass(frozen=True)
class Hours:
    """Client i is there from comes[i] to goes[i]."""

    comes: tuple[float, ...]
    goes: tuple[float, ...]

    def online(self, clients, at_s, seed):
        return (np.array(self.comes)[clients] <= at_s) & (at_s < np.array(self.goes)[clients])

    def until(self, clients, at_s, seed):
        return np.array(self.goes)[clients]


class Notebook:
    def __init__(self):
        self.outcomes = []

    def round(self, outcome, tree, verdicts, feedback):
        self.outcomes.append(outcome)


def plan(**changes):
    base = Plan(
        0, 2, 1.0, Budget(participations=6), FedAvg(), Uniform(), Single(), Dense(), Off(), (), Inline(),
    )  # fmt: skip
    return replace(base, **changes)


def world(seconds, groups=None, hours=None):
    rng = np.random.default_rng(0)
    clients = [(rng.normal(size=(5, 2)), np.array([0, 1, 0, 1, 0])) for _ in seconds]
    people = Population.from_arrays(clients, groups)
    module = nn.Linear(2, 2)
    nn.init.constant_(module.weight, 0.1)
    nn.init.constant_(module.bias, 0.0)
    trainer = Trainer(module, Training(steps=1, batch=4), people.x, people.y, 0)
    assert (trainer.n_params, trainer.flops_per_sample) == (6, 8)
    return World(people, Phones(tuple(seconds)), hours or AlwaysOnline(), trainer, Lasts())


def engine_of(seconds, hours=None, check_in_s=100.0, **changes):
    made = plan(**changes)
    return made, Simulation(made, world(seconds, hours=hours), Pace(check_in_s=check_in_s, min_clients=1))


def invitation(made, engine, invited, quorum, deadline_s=1e9, path=ROOT):
    n = len(invited)
    start = {"params": np.zeros(6, np.float32), "buffers": np.zeros(0, np.float32)}
    return Round(
        path, 0, made.data_plane.put(start, path), np.array(invited), quorum, deadline_s, np.full(n, np.nan),
        np.zeros(n, bool),
    )  # fmt: skip


def one_round(seconds, quorum, deadline_s=1e9, hours=None, invited=None):
    made, engine = engine_of(seconds, hours)
    engine.start(invitation(made, engine, invited or list(range(len(seconds))), quorum, deadline_s))
    (outcome,) = engine.finished()
    return outcome, {c.purpose: c for c in outcome.charges}


def whole_run(seconds, groups=None, hours=None, pace=None, **changes):
    made, here, notes = plan(**changes), world(seconds, groups, hours), Notebook()
    engine = Simulation(made, here, pace or Pace(check_in_s=0.0))
    start = (here.trainer.initial_params, here.trainer.initial_buffers)
    end = federate(made, start, engine, notes)
    return end.tree, notes.outcomes, end.ledger, engine


# ---------------------------------------------------------------- one round


def test_the_first_to_finish_are_kept_and_the_rest_are_cut_and_billed():
    # Kept: 10, 20 and 30 s. At 30 s the other two have done 30/60 and 30/40 of their work.
    outcome, bill = one_round([60, 10, 30, 20, 40], quorum=3)
    assert outcome.clients.tolist() == [1, 2, 3]
    assert outcome.durations_s.tolist() == [10, 30, 20]
    assert (outcome.started_s, outcome.at_s) == (100, 130)
    assert (outcome.stragglers, outcome.dropouts) == (2, 0)
    train, cut = bill["train"], bill["straggler"]
    assert (train.participations, train.nbytes_up, train.nbytes_down) == (3, 3 * NBYTES, 3 * NBYTES)
    assert (train.flops, train.client_s) == (3 * FLOPS, 60)
    assert (cut.participations, cut.nbytes_up, cut.nbytes_down) == (2, 0, 2 * NBYTES)
    assert (cut.flops, cut.client_s) == (48 + 72, 60)
    assert set(bill) == {"train", "straggler"}


def test_who_goes_offline_before_it_would_finish_drops_out_and_is_billed():
    # The window closes at 100 s. Client 1 would need till 120 but leaves at 115, with 15/20 of its work done.
    hours = Hours((0, 0, 0, 0), (1e9, 115, 1e9, 1e9))
    outcome, bill = one_round([10, 20, 30, 60], quorum=2, hours=hours)
    assert outcome.clients.tolist() == [0, 2]
    assert outcome.at_s == 130
    assert (outcome.stragglers, outcome.dropouts) == (1, 1)
    gone = bill["dropout"]
    assert (gone.participations, gone.nbytes_up, gone.nbytes_down) == (1, 0, NBYTES)
    assert (gone.flops, gone.client_s) == (72, 15)
    assert (bill["straggler"].flops, bill["straggler"].client_s) == (48, 30)


def test_when_everybody_has_replied_or_gone_the_round_is_over():
    # Two of three wanted: 10 s, and 20 s; the third leaves 50 s in. The server does not wait for the 60.
    outcome, bill = one_round([10, 20, 60], quorum=3, hours=Hours((0, 0, 0), (1e9, 1e9, 150)))
    assert outcome.clients.tolist() == [0, 1]
    assert outcome.at_s == 150
    assert (bill["dropout"].flops, bill["dropout"].client_s) == (80, 50)  # 50/60 of 96


def test_the_deadline_ends_a_round_and_cuts_who_is_late():
    outcome, bill = one_round([10, 50, 100], quorum=3, deadline_s=25)
    assert outcome.clients.tolist() == [0]
    assert outcome.at_s == 125
    assert outcome.stragglers == 2
    assert (bill["straggler"].flops, bill["straggler"].client_s) == (48 + 24, 50)


def test_a_round_to_which_nobody_replies_still_costs_and_ends():
    outcome, bill = one_round([50, 100], quorum=2, deadline_s=25)
    assert outcome.empty
    assert (outcome.at_s, outcome.stragglers) == (125, 2)
    assert set(bill) == {"straggler"}
    assert bill["straggler"].nbytes_down == 2 * NBYTES
    assert outcome.updates.rows.shape == (0, 6)


def test_of_equally_fast_clients_the_lower_ids_are_kept():
    outcome, _ = one_round([9, 9, 9, 9, 9, 9], quorum=2, invited=[5, 3, 1])
    assert sorted(outcome.clients.tolist()) == [1, 3]


def test_an_outcome_carries_what_its_clients_hold_and_what_they_sent():
    outcome, _ = one_round([10, 20], quorum=2)
    assert outcome.samples.tolist() == [4, 4]
    assert outcome.updates.rows.shape == (2, 6)
    assert (outcome.updates.norms() > 0).all()
    np.testing.assert_allclose(outcome.losses, np.log(2))  # a model of zeros gives both classes a half


# ---------------------------------------------------------------- check-in


def test_a_client_at_work_is_not_there_for_anybody_else():
    made, engine = engine_of([10, 100, 50, 70], check_in_s=0.0)
    tree = CohortTree({ROOT: Cohort(ROOT, np.zeros(6, np.float32), np.zeros(0, np.float32))})
    engine.start(invitation(made, engine, [0, 1], 2))  # ends at 100, when the slower is done
    assert engine.check_in(tree, ROOT, 4, 0)[0].tolist() == [2, 3]
    engine.start(invitation(made, engine, [2], 1))
    ends = engine.finished()
    assert next(ends).at_s == 50
    assert engine.check_in(tree, ROOT, 4, 1)[0].tolist() == [0, 2, 3]  # 0 was done at 10, though its round goes on
    assert next(ends).at_s == 100
    assert engine.check_in(tree, ROOT, 4, 2)[0].tolist() == [0, 1, 2, 3]


def test_a_straggler_is_free_when_it_is_cut():
    made, engine = engine_of([10, 100], check_in_s=0.0)
    tree = CohortTree({ROOT: Cohort(ROOT, np.zeros(6, np.float32), np.zeros(0, np.float32))})
    engine.start(invitation(made, engine, [0, 1], 1))
    next(engine.finished())
    assert engine.check_in(tree, ROOT, 2, 1)[0].tolist() == [0, 1]


def test_whoever_is_offline_when_the_window_closes_is_not_there():
    _, engine = engine_of([10, 10, 10], hours=Hours((0, 99, 101), (1e9, 1e9, 1e9)))
    tree = CohortTree({ROOT: Cohort(ROOT, np.zeros(6, np.float32), np.zeros(0, np.float32))})
    assert engine.check_in(tree, ROOT, 3, 0)[0].tolist() == [0, 1]


def test_a_bounded_number_of_clients_is_looked_at():
    made = plan()
    engine = Simulation(made, world([1.0] * 40), Pace(check_in_s=0.0, look=3))
    tree = CohortTree({ROOT: Cohort(ROOT, np.zeros(6, np.float32), np.zeros(0, np.float32))})
    there = engine.check_in(tree, ROOT, 5, 0)[0]
    assert there.size == 15
    assert np.unique(there).size == 15
    assert engine.check_in(tree, ROOT, 5, 1)[0].tolist() != there.tolist()  # others next time


# ---------------------------------------------------------------- many rounds


def test_empty_rounds_move_the_clock_by_retry_s_until_somebody_comes():
    hours = Hours((150, 150), (1e9, 1e9))
    pace = Pace(check_in_s=0.0, retry_s=60.0)
    tree, outcomes, ledger, _ = whole_run([10, 10], hours=hours, pace=pace, budget=Budget(participations=2))
    assert [(o.at_s, o.empty) for o in outcomes] == [(60, True), (120, True), (180, True), (190, False)]
    assert tree[ROOT].round == 1
    assert ledger.participations == 2


def test_too_few_clients_are_as_good_as_none():
    hours = Hours((0, 0, 100), (1e9, 1e9, 1e9))
    pace = Pace(check_in_s=0.0, retry_s=60.0, min_clients=3)
    changes = {"participants": 3, "budget": Budget(participations=3)}
    _, outcomes, ledger, _ = whole_run([10, 10, 10], hours=hours, pace=pace, **changes)
    assert [(o.at_s, o.clients.size) for o in outcomes] == [(60, 0), (120, 0), (130, 3)]
    assert set(ledger.by_purpose) == {"train"}


def test_a_slow_cohort_does_not_hold_up_a_fast_one():
    # Group 0 needs 100 s a round, group 1 needs 30.
    _, outcomes, _, _ = whole_run(
        [100, 100, 30, 30], [0, 0, 1, 1], clustering=Oracle(), participants=4, budget=Budget(simulated_s=200)
    )
    assert [(o.at_s, o.round.path) for o in outcomes] == [
        (30, (1,)), (60, (1,)), (90, (1,)), (100, (0,)), (120, (1,)), (150, (1,)), (180, (1,)), (200, (0,)),
    ]  # fmt: skip
    assert all(set(o.clients.tolist()) == ({0, 1} if o.round.path == (0,) else {2, 3}) for o in outcomes)


def test_cohorts_that_end_together_come_in_the_order_in_which_they_began():
    _, outcomes, _, _ = whole_run(
        [10, 10, 10, 10], [1, 0, 1, 0], clustering=Oracle(), participants=4, budget=Budget(participations=12)
    )
    assert [o.round.path for o in outcomes] == [(0,), (1,)] * 3
    assert [o.at_s for o in outcomes] == [10, 10, 20, 20, 30, 30]


@pytest.mark.parametrize(
    ("budget", "rounds"),
    [
        (Budget(participations=7), 4),  # 2, 4, 6, 8
        (Budget(simulated_s=25.0), 3),  # 10, 20, 30 s
        (Budget(bytes=192), 2),  # 2 x 24 each way: 96, 192
    ],
)
def test_each_budget_ends_the_run(budget, rounds):
    tree, outcomes, ledger, engine = whole_run([10, 10, 10, 10], budget=budget)
    assert len(outcomes) == rounds == tree[ROOT].round
    assert ledger.participations == 2 * rounds
    assert engine.now_s == 10 * rounds
    assert ledger.nbytes_up == ledger.nbytes_down == 48 * rounds
    assert ledger.flops == 2 * FLOPS * rounds


def test_the_ledger_is_the_sum_of_what_the_rounds_were_charged():
    _, outcomes, ledger, _ = whole_run([10, 15, 20, 25], overcommit=2.0)
    assert ledger.by_purpose["straggler"].participations == 6  # 3 rounds, 4 invited, 2 kept
    for field in ("participations", "nbytes_up", "nbytes_down", "flops"):
        total = sum(getattr(c, field) for o in outcomes for c in o.charges)
        assert sum(getattr(c, field) for c in ledger.by_purpose.values()) == total


def test_affinity_messages_are_charged_to_auxo_and_to_nobody_else():
    # Each of the 4 that report sends the root's path: length 1, reward 4, cluster 1 = 6 bytes. Each of the 2 that took
    # part hears: path 1, reward 4, cluster and hint 2, one leaf 1 = 8 bytes; the last answer is settled at the end.
    _, _, ledger, _ = whole_run([10, 10, 10, 10], clustering=Auxo())
    affinity = ledger.by_purpose["affinity"]
    assert (affinity.nbytes_up, affinity.nbytes_down) == (3 * 4 * 6, 3 * 2 * 8)
    assert (affinity.flops, affinity.participations) == (0, 0)
    _, _, plain, _ = whole_run([10, 10, 10, 10])
    assert set(plain.by_purpose) == {"train"}
    assert plain.by_purpose["train"] == ledger.by_purpose["train"]


def test_asking_moves_neither_clock_nor_ledger():
    _, engine = engine_of([10, 10, 10])
    zero = np.zeros(6, np.float32)
    answer = engine.ask(
        Evaluate(np.arange(3), (ROOT,), (zero,), (np.zeros(0, np.float32),), np.zeros(3, int)), charge=False
    )
    assert answer.tested.tolist() == [1, 1, 1]
    np.testing.assert_allclose(answer.losses, np.log(2))
    assert engine.ask(Groups()).size == 0
    assert engine.now_s == 0
    assert engine._presence.charges == []
    with pytest.raises(TypeError, match="cannot answer str"):
        engine.ask("the time")
    with pytest.raises(TypeError, match="an observer's look"):
        engine.ask(Evaluate(np.arange(0), (), (), (), np.arange(0)))


def test_planted_groups_are_named_once_each():
    engine = Simulation(plan(), world([1, 1, 1, 1], [2, 0, 2, -1]))
    assert engine.ask(Groups()).tolist() == [0, 2]


# ---------------------------------------------------------------- the same seed, the same bytes

SMALL = {
    "participants": 6,
    "baseline": "none",
    "budget": {"participations": 120},
    "population": {"name": "digits-rotated", "clients": 30},
    "clustering": {"name": "auxo", "min_members": 4, "min_participants": 2, "check_every": 2},
    "evaluation": {"every": 5},
}


def arm(directory, **changes):
    directory.mkdir()
    experiment = load(SMALL, {key.replace("__", "."): value for key, value in changes.items()})
    tree = train(experiment, experiment.world(), directory).tree
    lines = (directory / "events.jsonl").read_bytes()
    return tree, lines, [json.loads(line) for line in lines.splitlines()]


def test_a_seed_is_a_run(tmp_path):
    _, one, _ = arm(tmp_path / "one")
    _, two, _ = arm(tmp_path / "two")
    _, other, _ = arm(tmp_path / "other", seed=1)
    assert one == two
    assert one != other


def test_evaluation_changes_nothing(tmp_path):
    often, _, told = arm(tmp_path / "often", evaluation__every=1)
    seldom, _, hardly = arm(tmp_path / "seldom", evaluation__every=50)
    assert sum(e["event"] == "score" for e in told) > sum(e["event"] == "score" for e in hardly)
    assert [e for e in told if e["event"] == "round"] == [e for e in hardly if e["event"] == "round"]
    assert told[-1] == hardly[-1]  # the ledger
    assert often.paths() == seldom.paths()
    for path in often.paths():
        np.testing.assert_array_equal(often[path].params, seldom[path].params)


def test_what_rounds_cost_is_in_the_log_and_adds_up_to_the_ledger(tmp_path):
    _, _, events = arm(tmp_path / "run")
    rounds, ledger = [e for e in events if e["event"] == "round"], events[-1]["ledger"]
    rest = ledger.pop("unfinished", {"nbytes_up": 0, "nbytes_down": 0, "flops": 0})
    left = {
        key: sum(row[key] for row in ledger.values()) - sum(e[key] for e in rounds) for key in rest if key in rounds[0]
    }
    assert (left["nbytes_up"], left["flops"]) == (0, 0)
    assert 0 <= left["nbytes_down"] <= 100 * len(rounds[-1]["clients"])  # the last affinity messages
    assert sum(len(e["clients"]) for e in rounds) == ledger["train"]["participations"]
    # logistic on 64 pixels: 650 weights, 4 bytes each, for everybody who was invited
    came = [e for e in rounds if e["clients"] or e["stragglers"] or e["dropouts"]]
    billed = {purpose: ledger[purpose] for purpose in ("train", "straggler", "dropout") if purpose in ledger}
    assert sum(e["invited"] for e in came) == sum(row["participations"] for row in billed.values())
    assert all(row["nbytes_down"] == 2600 * row["participations"] for row in billed.values())
    assert ledger["train"]["nbytes_up"] == 2600 * ledger["train"]["participations"]


def test_rounds_in_flight_are_billed_as_far_as_they_went():
    # Both rounds begin at 100 s. When the first ends, at 110 s, a quarter of the second's 40 s is done, and its model
    # (6 weights) was downloaded.
    made, engine = engine_of([10, 40])
    engine.start(invitation(made, engine, [0], 1, path=(0,)))
    engine.start(invitation(made, engine, [1], 1, path=(1,)))
    assert next(iter(engine.finished())).clients.tolist() == [0]
    (bill,) = engine.settle()
    assert (bill.purpose, bill.participations, bill.nbytes_up, bill.nbytes_down) == ("unfinished", 1, 0, NBYTES)
    assert bill.client_s == pytest.approx(10)
    assert bill.flops == 96 // 4  # 3 passes over 4 samples of 8 FLOPs
