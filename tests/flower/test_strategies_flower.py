"""Unmodified Flower strategies, one per cohort, over real ClientApps in this process."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason='needs Flower: pip install "horae[flower]", or make test-flower')
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message
from flwr.serverapp.strategy import DifferentialPrivacyServerSideFixedClipping, FedAvg, FedAvgM, FedYogi, Krum
from nearby import FIRST, Nearby, flat, model, target

from horae.clustering import Auxo, Ifca, Single
from horae.errors import ConfigError, RunError
from horae.flower import CohortGrid, cohorts
from horae.flower.driving import Driver
from horae.types import Split

pytestmark = pytest.mark.flower
QUICK = Auxo(start=0.0, check_every=4, k_max=2, max_cohorts=2, min_members=4, min_participants=2, epsilon=0.5)
FACTORIES = {
    "FedAvg": lambda: FedAvg(),
    "FedAvgM": lambda: FedAvgM(server_momentum=0.5),
    "FedYogi": lambda: FedYogi(eta=0.05),
    "Krum": lambda: Krum(num_malicious_nodes=1),
    "private": lambda: DifferentialPrivacyServerSideFixedClipping(FedAvg(), 0.0, 5.0, 4),
}
N, SHARED = 12, FedAvg()


@pytest.fixture(autouse=True)
def quiet():
    log = logging.getLogger("flwr")
    level, propagate = log.level, log.propagate
    log.setLevel(logging.WARNING)
    log.propagate = True
    yield
    log.setLevel(level)
    log.propagate = propagate


@pytest.fixture
def nearby():
    made = []

    def make(*args, **options):
        made.append(Nearby(*args, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def run(make, grid, **options):
    quick = {"rounds": 9, "poll_s": 0.002, "patience_s": 20.0, "lockstep": True, "evaluate_every": 0}
    return cohorts(make, **{"clustering": QUICK, **quick, **options}).start(grid, model())


def bits(models):
    return {path: [(key, array.data) for key, array in record.items()] for path, record in models.items()}


# ---------------------------------------------------------------- cohorts


@pytest.mark.parametrize("name", FACTORIES)
def test_two_planted_groups_get_a_model_each(name, nearby, tmp_path):
    grid, ends = nearby(N, tmp_path), []
    models = run(FACTORIES[name], grid, rounds=14, evaluate_every=7, on_round=ends.append)
    assert set(models) == {(0,), (1,)}
    signs = {path: np.sign(flat(record)) for path, record in models.items()}
    assert {tuple(sign) for sign in signs.values()} == {(1.0,) * 8, (-1.0,) * 8}
    for end in ends[-2:]:
        assert {FIRST + i for i in range(N) if np.sign(target(i)[0]) == signs[end.path][0]} == set(end.nodes)
        assert (end.round, end.failures) == (14, {})
        assert end.evaluate["loss"] < 0.6
    assert grid.clashes == []
    assert {group for group, _, _ in grid.sent} == {f"0/{i}" for i in range(1, 5)} | {
        f"0.{c}/{i}" for c in (0, 1) for i in range(5, 15)
    }
    assert max(grid.sizes) < 200


def test_one_model_without_cohorts_is_what_flower_does_alone(nearby, tmp_path):
    models = run(lambda: FedAvg(), nearby(N, tmp_path), clustering=Single(), rounds=3)
    w = [10 + i for i in range(N)]
    mean = np.average([target(i) for i in range(N)], axis=0, weights=w)  # the fixed point; a third of the way each
    np.testing.assert_allclose(flat(models[()])[2:], mean[2:] * (1 - (2 / 3) ** 3), atol=1e-6)
    assert float(models[()]["n"].numpy()) == pytest.approx(3)


def test_children_begin_with_their_parents_model_and_optimiser(nearby, tmp_path):
    seen = []

    def look(end):
        if any(isinstance(verdict, Split) for verdict in end.verdicts):
            seen.extend(driver._live[(child,)] for child in (0, 1))
            seen.append([{key: array.copy() for key, array in one.strategy.v_t.items()} for one in seen])
            seen.append(bits({one: seen[one].arrays for one in (0, 1)}))

    plan = cohorts(FACTORIES["FedYogi"], QUICK, rounds=6, poll_s=0.002, lockstep=True, on_round=look)
    driver = Driver(plan, nearby(N, tmp_path), model())
    driver.run()
    one, other, moments, arrays = seen
    assert one.strategy is not other.strategy
    assert arrays[0] == arrays[1]
    for key in ("w", "b"):
        np.testing.assert_array_equal(moments[0][key], moments[1][key])
        assert (moments[0][key] > 0).all()
        assert (one.strategy.v_t[key] != other.strategy.v_t[key]).any()  # since then they are on their own


def test_a_cohort_does_not_wait_for_a_slow_sibling(nearby, tmp_path):
    slow, ends = {FIRST + i for i in range(1, N, 2)}, []

    def bend(message, reply):
        first = message.metadata.group_id in ("0.0/5", "0.1/5")  # after the split
        time.sleep(2.0 if first and reply.metadata.src_node_id in slow else 0)
        return reply

    grid = nearby(N, tmp_path, bend)
    models = run(lambda: FedAvg(), grid, lockstep=False, on_round=ends.append)
    order = [end.path for end in ends if end.path]
    assert set(models) == {(0,), (1,)}
    assert grid.clashes == []
    quick = next(end.path for end in ends if end.path and not slow & set(end.nodes))
    assert order.index(tuple(1 - step for step in quick)) > 2  # its first round ends after two of the other's
    assert {end.path for end in ends if end.round == 9} == {(0,), (1,)}


# ---------------------------------------------------------------- crash and resume


@pytest.mark.parametrize("name", FACTORIES)
@pytest.mark.parametrize("group", ["0/3", "0.1/7"])
def test_after_a_crash_it_goes_on_to_the_same_models(name, group, nearby, tmp_path):
    expected = run(FACTORIES[name], nearby(N, tmp_path / "whole"), checkpoint=tmp_path / "a")
    grid = nearby(N, tmp_path / "broken")

    def crash(messages):
        if messages and messages[0].metadata.group_id == group:
            raise OSError("the network is gone")

    grid.before_push = crash
    with pytest.raises(RunError, match=rf"failed in {group}: OSError: the network is gone"):
        run(FACTORIES[name], grid, checkpoint=tmp_path / "b")
    grid.before_push = lambda messages: None
    time.sleep(0.1)
    again, sent = [], len(grid.sent)
    models = run(FACTORIES[name], grid, checkpoint=str(tmp_path / "b"), on_round=again.append)
    assert bits(models) == bits(expected)
    assert again[0].round == int(group.split("/")[1])
    assert len(grid.sent) > sent
    assert bits(run(FACTORIES[name], grid, checkpoint=tmp_path / "b")) == bits(expected)  # it is over: nothing is sent


SCRIPT = """
import logging, os, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from nearby import Nearby
from test_strategies_flower import FACTORIES, bits, run
logging.getLogger("flwr").setLevel(logging.WARNING)
root, after = Path(sys.argv[1]), int(sys.argv[2])
grid = Nearby(12, root / "nodes")
pushes = []
def maybe(messages):
    pushes.append(1)
    if len(pushes) == after:
        os._exit(9)
grid.before_push = maybe
models = run(FACTORIES["FedYogi"], grid, checkpoint=root / "state")
print(sorted((path, [(key, data.hex()) for key, data in pairs]) for path, pairs in bits(models).items()))
grid.close()
"""


def test_killed_outright_it_goes_on_to_the_same_models(tmp_path):
    def script(root, after):
        text = SCRIPT.format(here=str(Path(__file__).parent))
        env = {**os.environ, "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-c", text, str(root), str(after)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
        return done.returncode, done.stdout, done.stderr

    code, expected, told = script(tmp_path / "whole", 0)
    assert code == 0, told
    for after in (3, 4, 2):  # three times killed, deeper each time
        assert script(tmp_path / "killed", after)[0] == 9
    code, found, told = script(tmp_path / "killed", 0)
    assert (code, found) == (0, expected), told


def test_a_checkpoint_of_something_else_is_refused(nearby, tmp_path):
    grid = nearby(N, tmp_path / "nodes")
    run(lambda: FedAvg(), grid, rounds=2, checkpoint=tmp_path / "state")
    for options, what in (({"seed": 1}, "seed"), ({"name": "other"}, "name"), ({"clustering": Single()}, "clustering")):
        with pytest.raises(RunError, match=rf"^{what} should be .* as in the checkpoint .*; put it back"):
            run(lambda: FedAvg(), grid, checkpoint=tmp_path / "state", **options)
    with pytest.raises(RunError, match="strategy should be 'FedAvg'"):
        run(FACTORIES["Krum"], grid, checkpoint=tmp_path / "state")
    small = ArrayRecord({"w": Array(np.zeros(3, np.float32))})
    with pytest.raises(ConfigError, match="initial_arrays should have 8 parameters"):
        cohorts(lambda: FedAvg(), QUICK, checkpoint=tmp_path / "state").start(grid, small)
    assert len(grid.sent) == 2 * N


def test_what_a_checkpoint_cannot_hold_is_said(nearby, tmp_path, caplog):
    class Odd(FedAvg):
        def __init__(self):
            super().__init__()
            self.lock = __import__("threading").Lock()

    models = run(Odd, nearby(N, tmp_path / "nodes"), rounds=6, checkpoint=tmp_path / "state")
    assert set(models) == {(0,), (1,)}
    told = [record.getMessage() for record in caplog.records]
    assert "Odd.lock (lock) is nothing that a checkpoint can hold: after a crash it begins anew" in told
    assert any(line.startswith("Odd cannot be copied") for line in told)


# ---------------------------------------------------------------- clients that remember


def test_each_experiment_has_its_own_record_on_the_clients_disk(nearby, tmp_path):
    grid = nearby(4, tmp_path / "nodes")
    run(lambda: FedAvg(), grid, rounds=2)
    run(lambda: FedAvg(), grid, rounds=2)
    assert [len(list(place.iterdir())) for place in sorted((tmp_path / "nodes").iterdir())] == [2] * 4


def test_without_a_place_or_without_the_mod_it_works_and_says_so(nearby, caplog):
    grid = nearby(N)  # no state-dir, and so no mod
    assert set(run(lambda: FedAvg(), grid)) == {(0,), (1,)}
    assert sum("sends no affinity request" in record.getMessage() for record in caplog.records) == 1
    caplog.clear()
    grid = nearby(N, in_ram=True)
    assert set(run(lambda: FedAvg(), grid)) == {(0,), (1,)}
    said = [record.getMessage() for record in caplog.records]
    assert sum("lost when its SuperNode ends" in line for line in said) == N  # once per client
    assert len(said) == N
    assert grid.sizes


# ---------------------------------------------------------------- failures are ordinary


def garbled(message, reply):
    reply.content["horae.request"] = ConfigRecord({"request": b"nonsense"})
    return reply


def wrong(shape, value=0.0):
    def bend(message, reply):
        reply.content["arrays"]["w"] = Array(np.full(shape, value, np.float32))
        return reply

    return bend


def masked(message, reply):
    reply.metadata.__dict__["_src_node_id"] = FIRST
    return reply


BENT = {
    "another's name": (masked, f"node {FIRST} answered in its place"),
    "an error": (lambda message, reply: Message(Error(1, "no power"), reply_to=message), "no power"),
    "another shape": (wrong((2, 3)), "'w' has shape (2, 3) where (3, 2) was sent"),
    "no number": (wrong((3, 2), np.nan), "its update is not finite"),
    "a forged request": (garbled, "that cannot be read"),
}


@pytest.mark.parametrize("what", BENT)
def test_one_bad_node_costs_nothing_but_itself(what, nearby, tmp_path, caplog):
    bend, words = BENT[what]
    bad = FIRST + 3
    grid = nearby(N, tmp_path, lambda m, r: bend(m, r) if m.metadata.dst_node_id == bad else r)
    models = run(lambda: FedAvg(), grid)
    assert set(models) == {(0,), (1,)}
    told = [record.getMessage() for record in caplog.records if words in record.getMessage()]
    assert told
    assert all(str(bad) in line and len(line.splitlines()) == 1 for line in told)


def test_who_does_not_answer_is_waited_for_until_the_deadline(nearby, tmp_path):
    dead, ends = FIRST + 2, []
    grid = nearby(N, tmp_path, lambda m, r: None if m.metadata.dst_node_id == dead else r)
    models = run(lambda: FedAvg(), grid, rounds=6, deadline_s=0.3, on_round=ends.append)
    assert set(models) == {(0,), (1,)}
    assert all(dead not in end.nodes for end in ends)


def test_a_quorum_ends_the_round_and_late_nodes_are_left_in_peace(nearby, tmp_path):
    slow, ends = {FIRST + 1, FIRST + 2}, []

    def bend(message, reply):
        time.sleep(0.5 if message.metadata.dst_node_id in slow else 0)
        return reply

    grid = nearby(N, tmp_path, bend)
    options = {"clustering": Single(), "participants": 8, "overcommit": 1.5, "rounds": 4}
    run(lambda: FedAvg(), grid, on_round=ends.append, **options)
    assert all(8 <= len(end.nodes) <= 12 for end in ends)
    assert not slow & set(ends[0].nodes)
    assert grid.clashes == []  # nobody gets a second message before it answered the first
    asked = [node for group, node, _ in grid.sent if group == "0/1"]
    assert len(asked) == 12


def test_a_strategy_that_fails_ends_the_run_in_one_line(nearby, tmp_path):
    with pytest.raises(RunError, match=r"^FedAvg failed in 0/1: InconsistentMessageReplies: .*no-such") as told:
        run(lambda: FedAvg(weighted_by_key="no-such"), nearby(N, tmp_path))
    assert len(str(told.value).splitlines()) == 1


def test_a_run_to_which_nobody_comes_ends(nearby, tmp_path, caplog):
    with pytest.raises(RunError, match=r"^min_nodes should be at most the nodes there, got 5 where 4 are for 0.05 s"):
        run(lambda: FedAvg(), nearby(4, tmp_path), min_nodes=5, patience_s=0.05)
    everybody = nearby(4, tmp_path, lambda m, r: Message(Error(1, "no power"), reply_to=m))
    with pytest.raises(RunError, match=r"nobody trained for 0.2 s, of 4 nodes; the last failure: node \d+: no power"):
        run(lambda: FedAvg(), everybody, patience_s=0.2)
    grid = nearby(4, tmp_path)
    grid.before_push = lambda messages: grid.nodes.clear() if messages[0].metadata.group_id == "0/2" else None
    models = run(lambda: FedAvg(), grid, patience_s=0.2)
    assert set(models) == {()}
    assert "cohorts 0 end before their last round: nobody trained for 0.2 s" in caplog.messages


# ---------------------------------------------------------------- the grid itself


def test_a_grid_shows_its_cohort_alone(nearby, tmp_path, monkeypatch):
    import threading

    from horae.flower import grid as module

    inner = nearby(4, tmp_path)
    post = module.Post(1.0, 0.01, ("b", "w"), 64, threading.Event())
    view = CohortGrid(inner, "0.1/7", {FIRST: {}, FIRST + 2: {}}, 2, post)
    assert view.get_node_ids() == [FIRST, FIRST + 2]
    assert [node.node_id for node in view.get_nodes()] == [FIRST, FIRST + 2]
    assert view.pull_messages(["m0"]) == []
    strategy = FedAvg()
    messages = strategy.configure_train(1, model(), ConfigRecord(), view)
    messages[0].metadata.dst_node_id = FIRST + 1
    with pytest.raises(RunError, match=rf"node {FIRST + 1}, which is not in 0.1/7"):
        view.push_messages(messages)
    monkeypatch.setattr(module, "LOOKS_S", 0.0)
    with pytest.raises(RunError, match="min_nodes should be as many"):
        FedAvg(min_available_nodes=3).configure_train(1, model(), ConfigRecord(), Quick(view))


class Quick:
    """A strategy sleeps a second between two looks: here it is told of the eleventh look at once."""

    def __init__(self, view):
        self.view = view

    def get_node_ids(self):
        for _ in range(11):
            found = self.view.get_node_ids()
        return found


def test_a_reply_that_nobody_asked_for_is_refused(nearby, tmp_path, caplog):
    grid = nearby(4, tmp_path)
    pull = grid.pull_messages

    def twice(names):
        found = pull(names)
        return [*found, *found]

    grid.pull_messages = twice
    run(lambda: FedAvg(), grid, rounds=1)
    assert sum("or a second one, is refused" in line for line in caplog.messages) == 4


# ---------------------------------------------------------------- one line for a mistake


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strategy_factory": FedAvg()}, "strategy_factory should make a strategy"),
        ({"strategy_factory": lambda: 5}, "strategy_factory should make a strategy"),
        ({"strategy_factory": lambda: 1 / 0}, "ZeroDivisionError"),
        ({"strategy_factory": lambda: SHARED}, "make a new strategy each time"),
        ({"clustering": Ifca()}, "clustering should be like Auxo"),
        ({"rounds": 0}, "rounds should be a whole number >= 1, got 0"),
        ({"participants": -1}, "participants"),
        ({"overcommit": 0.5}, "overcommit"),
        ({"deadline_s": 0}, "deadline_s"),
        ({"train_config": {}}, "train_config should be a ConfigRecord"),
        ({"checkpoint": "/dev/null/x"}, "cannot write to"),
        ({"round": 5}, "cohorts should have options"),
    ],
)
def test_a_mistake_is_one_line(options, words):
    options = {"strategy_factory": lambda: FedAvg(), **options}
    with pytest.raises((ConfigError, RunError), match=words) as told:
        cohorts(**options)
    assert len(str(told.value).splitlines()) == 1


def test_a_mistake_at_the_start_is_one_line(nearby, tmp_path):
    with pytest.raises(ConfigError, match=r"min_nodes should be >= the 6 that the strategy waits for, got 3"):
        run(lambda: FedAvg(min_train_nodes=6), nearby(N, tmp_path), min_nodes=3)
    for arrays in (None, ArrayRecord(), {}):
        with pytest.raises(ConfigError, match="initial_arrays"):
            cohorts(lambda: FedAvg()).start(nearby(2, tmp_path), arrays)
    with pytest.raises(ConfigError, match="grid should be the grid"):
        cohorts(lambda: FedAvg()).start(None, model())
