"""A client's memory from the log alone: worked out by hand, and held against what real clients claimed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from madelog import EXPERIMENT, a_round, events, verdict, write

import horae
from horae.clustering.auxo import Auxo
from horae.errors import RunError
from horae.explain.because import reasons
from horae.explain.reading import home_of, leaves_of, path_of
from horae.explain.replay import auxo_of, can_replay, odd_claims, replay, wish
from horae.report.loading import read_run
from horae.report.reading import Arm


def moments(client, lines=None, gamma=0.2):
    return replay(Arm(events() if lines is None else lines, {}), client, Auxo(gamma=gamma))


def test_rewards_are_averaged_as_the_client_does():
    story = [(m.event["at_s"], m.event["event"], m.held, m.wish.cohort) for m in moments(2)]
    assert story == [
        (100.0, "round", {"0": 0.0}, "0"),
        (200.0, "round", {"0": 0.0}, "0"),
        (200.0, "verdict", {"0": 0.0, "0.1": 0.1}, "0.1"),  # its own child is worth 0.1 more than the parent's 0
        (300.0, "round", {"0": 0.0, "0.1": 0.5}, "0.1"),  # the first visit sets it
        (400.0, "round", {"0": 0.0, "0.1": 0.46}, "0.1"),  # 0.2 · 0.3 + 0.8 · 0.5
        (500.0, "round", {"0": 0.0, "0.1": 0.288, "0.0": 0.388}, "0.0"),  # 0.2 · -0.4 + 0.8 · 0.46; + 0.1 where told
        (600.0, "round", {"0": 0.0, "0.1": 0.288, "0.0": 0.6}, "0.0"),
    ]


def test_what_it_claimed_is_what_it_held():
    assert [odd_claims(moments(client), client) for client in range(5)] == [0] * 5
    lines = events()
    lines[8]["claims"] = [0.9, 0.25]  # client 2 claims more than its 0.5
    assert odd_claims(moments(2, lines), 2) == 1
    assert odd_claims(moments(3, lines), 3) == 0


def test_a_client_that_never_came_remembers_nothing():
    assert moments(5) == []


def test_a_client_that_was_in_no_cluster_hears_of_a_split_at_its_next_visit():
    born = {"children": {"0.0": 0, "0.1": 0}, "members": {"0.0": [], "0.1": []}}
    lines = [a_round("0", 0, [7], 1.0), verdict("0", 1, 1.0, 0.9, "split", **born), a_round("0.1", 1, [7], 2.0)]
    first, second = moments(7, lines)
    assert (first.wish.cohort, second.held) == ("0", {"0": 0.0, "0.1": 0.0})
    assert not second.assigned("0.1") and second.visits("0.1") == 1


@given(
    st.lists(st.floats(-3, 1).map(lambda value: round(value, 4)), min_size=1, max_size=20),
    st.sampled_from([0.1, 0.5, 1.0]),
)
def test_the_average_is_the_weighted_sum_of_the_rewards(rewards, gamma):
    lines = events()[:6] + [a_round("0.1", 2 + i, [2], 300.0 + i, rewards=[r]) for i, r in enumerate(rewards)]
    n = len(rewards)
    weights = [(1 - gamma) ** (n - 1)] + [gamma * (1 - gamma) ** (n - 1 - i) for i in range(1, n)]
    assert moments(2, lines, gamma)[-1].reward("0.1") == pytest.approx(np.dot(weights, rewards), abs=1e-4)


# ---------------------------------------------------------------- what it needs


def test_the_rule_is_the_runs_own(tmp_path):
    assert auxo_of(read_run(write(tmp_path / "a"))) == Auxo()
    other = EXPERIMENT.replace("0.2", "0.5").replace("measured", "paper")
    assert auxo_of(read_run(write(tmp_path / "b", experiment=other))) == Auxo(gamma=0.5, reward="paper")
    assert auxo_of(read_run(write(tmp_path / "c", experiment=""))) is None


@pytest.mark.parametrize("change", [("0.2", "7.0"), ("0.2", '"x"'), ("0.2", "true"), ("measured", "mine")])
def test_a_rule_that_is_none_is_refused(change, tmp_path):
    run = read_run(write(tmp_path, experiment=EXPERIMENT.replace(*change)))
    with pytest.raises(RunError, match=r"experiment\.toml") as caught:
        auxo_of(run)
    assert "\n" not in str(caught.value)


def test_an_old_log_cannot_be_replayed():
    assert can_replay(Arm(events(), {}))
    lines = [{key: value for key, value in event.items() if key != "members"} for event in events()]
    assert not can_replay(Arm(lines, {}))
    assert can_replay(Arm(events()[:4], {}))  # no split yet, but labels
    assert not can_replay(Arm([a_round("0", 0, [1], 1.0)], {}))


@pytest.mark.parametrize("name", ["1", "0.", "0.x", "0.01", "0.-1", "0.²", "0.99999", "0 .1"])
def test_a_name_that_no_cohort_has_is_refused(name):
    with pytest.raises(RunError, match="the log names a cohort"):
        path_of(name)


# ---------------------------------------------------------------- a real run


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A run with three splits, two of them of children."""
    easy = {"clustering.min_members": 4, "clustering.check_every": 4, "clustering.k_max": 2, "clustering.start": 0.0}
    easy |= {"clustering.threshold": 0.3, "clustering.drop": 0.0, "clustering.max_cohorts": 4}
    fields = {"budget": {"participations": 600}, "population": {"clients": 60}, "participants": 20, "baseline": "none"}
    run = horae.run("demo", **fields, changes=easy, out=tmp_path_factory.mktemp("replay") / "run")
    assert run.cohorts == 4
    return read_run(run.directory)


def test_every_claim_of_a_real_run_is_what_the_replay_holds(real):
    arm, rule = real.main, auxo_of(real)
    claims = sum(value is not None for event in arm.of("round") for value in event.get("claims", ()))
    assert claims > 150
    assert sum(odd_claims(replay(arm, client, rule), client) for client in range(60)) == 0


def test_every_client_of_a_real_run_sits_where_the_replay_leads(real):
    """Exactly there; or below, where a cohort split that the client has not heard of."""
    arm, rule = real.main, auxo_of(real)
    leaves = tuple(sorted(map(path_of, leaves_of(arm))))
    exact = below = 0
    for client in range(60):
        story = replay(arm, client, rule)
        if story:
            home, wanted = path_of(home_of(arm, client)), path_of(wish(arm, story[-1].records, leaves, rule).cohort)
            assert home[: len(wanted)] == wanted, client
            exact, below = exact + (home == wanted), below + (home != wanted)
            assert "cannot be told" not in " ".join(reasons(arm, client, story, rule))
    assert exact > 40 and exact > 5 * below
