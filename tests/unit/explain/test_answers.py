"""Explanations of a log written by hand: what they say, and what they say of logs that know less."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from madelog import EXPERIMENT, a_round, events, score, verdict, write

from horae.errors import ConfigError, HoraeError
from horae.explain import explain
from horae.explain.answer import Grid, shortened
from horae.explain.clients import explain_client
from horae.explain.cohorts import explain_cohort
from horae.explain.rounds import explain_round
from horae.explain.story import tell
from horae.report.loading import read_run

PNG = b"\x89PNG\r\n"


@pytest.fixture
def made(tmp_path):
    return read_run(write(tmp_path / "made"))


def told(answer):
    return " ".join(answer.words)


# ---------------------------------------------------------------- a client


def test_why_a_client_sits_where_it_was_told_to_go(made):
    answer = explain_client(made, 2)
    assert answer.facts["because"] == [
        "It sits in 0.0 because it holds its highest reward for it: R = 0.600 after 1 visit, against 0.288 for 0.1.",
        "Its update there pointed to 0.0, and it was told to try that in round 5 of 0.1, after 8 min 20 s.",
    ]
    assert "planted group 0, is at home in 0.0 and is served with 100.0 % accuracy" in told(answer)
    assert "(mean of its cohort: 90.0 %)" in told(answer)  # 0.9, 0.9, 1.0 and 0.8
    assert answer.facts["moves"] == [
        {"at_s": 300.0, "from": "0", "to": "0.1"}, {"at_s": 600.0, "from": "0.1", "to": "0.0"},
    ]  # fmt: skip
    assert answer.facts["splits"] == [{"at_s": 200.0, "cohort": "0", "round": 2, "child": "0.1"}]
    last = answer.facts["visits"][-1]
    assert (last["reward"], last["claim"], last["label"], last["exploring"]) == (0.6, 0.388, 0, False)
    assert last["held"] == {"0": 0.0, "0.0": 0.6, "0.1": 0.288}
    assert answer.facts["held"] == last["held"]
    assert [visit["told_to_try"] for visit in answer.facts["visits"]] == [None] * 4 + ["0.0", None]


def test_a_members_place_comes_from_the_split(made):
    words = told(explain_client(made, 3))
    assert "because it holds its highest reward for it: R = 0.256 after 3 visits; it knows no other leaf" in words
    assert "It was counted among the members of 0.1 when 0 split in round 2, after 3 min 20 s." in words


def test_a_member_that_was_not_there_since_expects_its_parents_reward_and_a_little_more(made):
    assert "it was told that 0.0 is its own, and expects R = 0.100 there" in told(explain_client(made, 1))


def test_a_client_that_never_came_sits_by_chance(made):
    answer = explain_client(made, 5)
    assert "It sits in 0.0 by chance: it never took part" in told(answer)
    assert answer.panels == [] and answer.facts["visits"] == []


def test_a_claim_that_it_did_not_hold_is_said(tmp_path):
    lines = events()
    lines[8]["claims"] = [0.9, 0.25]
    run = read_run(write(tmp_path, lines))
    assert "1 of its claims are not what it should have held" in told(explain_client(run, 2))
    assert "claims are not" not in told(explain_client(run, 3))


def test_a_place_that_the_messages_do_not_lead_to_is_not_made_up(tmp_path):
    lines = events()
    lines[-2]["home"][2] = 1
    words = told(explain_client(read_run(write(tmp_path, lines)), 2))
    assert "Why it sits in 0.1 cannot be told: by its messages in this log it would ask for 0.0." in words


def test_a_client_below_a_split_that_it_has_not_heard_of(tmp_path):
    lines = events()
    born = {"children": {"0.1.0": 1, "0.1.1": 1}, "members": {"0.1.0": [9], "0.1.1": [8]}}
    lines[-3:-3] = [verdict("0.1", 6, 650.0, 0.9, "split into 2", **born)]
    lines[-2] |= {"cohorts": ["0.0", "0.1.0", "0.1.1"], "home": [0, 0, 0, 1, 2, 0]}
    run = read_run(write(tmp_path, lines))
    assert "It sits in 0.1.0 because it asks for 0.1, which it takes for a leaf" in told(explain_client(run, 3))
    assert "its cluster in it, 1, leads elsewhere first" in told(explain_client(run, 3))  # label 1, home 0.1.0
    assert "having no cluster in it, its request is passed on at random" not in told(explain_client(run, 3))


# ---------------------------------------------------------------- a cohort


def test_what_became_of_a_cohort_that_split(made):
    answer = explain_cohort(made, "0")
    assert "Cohort 0 is the root" in answer.words[0]
    assert answer.words[1] == "2 rounds with 6 participations of 5 clients, 0 of them by explorers."
    assert "It looked at itself 2 times and stayed whole 1 time, without a statistic." in answer.words
    assert "It split in round 2, after 3 min 20 s: split into 2" in told(answer)
    assert "known members: 0.0 (2), 0.1 (3)." in told(answer)


def test_what_a_child_is_made_of(made):
    answer = explain_cohort(made, "0.1")
    assert answer.words[0] == (
        "Cohort 0.1 began after 3 min 20 s, when 0 split in round 2, "
        "with 3 known members (1 of group 0, 2 of group 1)."
    )  # fmt: skip
    assert "3 rounds with 7 participations of 3 clients, 1 of them by explorers." in answer.words
    assert "nearest to its threshold without a split: 0.600 against 0.800 in round 5." in told(answer)
    assert "At the end 2 clients are at home in it (2 of group 1), at 80.0 % accuracy." in told(answer)
    assert (answer.facts["parents"], answer.facts["members_at_birth"], answer.facts["home"]) == (
        ["0"],
        [2, 3, 4],
        [3, 4],
    )
    assert answer.facts["scores"] == [(200.0, 3, 0.6), (700.0, 2, 0.8)]
    assert "to 1 round nobody came" in told(explain_cohort(made, "0.0"))


# ---------------------------------------------------------------- a round


def test_a_round_from_best_to_worst(made):
    answer = explain_round(made, 5)  # the run's fifth is 0.1's fifth too
    assert answer.words[0].startswith("Round 5 of cohort 0.1, number 5 of the run's 7, ended after 8 min 20 s")
    assert "5 clients invited: 3 took part, 1 too late, 1 dropped out." in answer.words
    assert "1 explorer: 4." in answer.words
    assert "Rewards from 0.200 (client 3) to −0.400 (client 2)." in answer.words
    assert "2 outliers, reward below 0: 2 (−0.400), 4 (−0.100)." in answer.words
    assert "Told to try another cohort: 2 → 0.0." in answer.words
    assert "no split: explained 0.60 < 0.80 (statistic 0.600 against 0.800)" in answer.words[-1]
    assert [who["client"] for who in answer.facts["participants"]] == [3, 4, 2]
    assert answer.facts["outliers"] == [4, 2]


def test_rounds_of_a_cohort_count_on_from_its_parents(made):
    assert explain_round(made, 5, "0.1").facts == explain_round(made, 5).facts
    assert explain_round(made, 3, "0.0").facts["position"] == 6
    assert "3 min 20 s" in explain_round(made, 2, "0").words[0]
    with pytest.raises(ConfigError, match=r"^--round should be a round of cohort 0.1, 3 to 5, got 2; a cohort that"):
        explain_round(made, 2, "0.1")


def test_an_attempt_to_which_nobody_came_gives_way_to_the_round_itself(tmp_path, made):
    empty = explain_round(made, 4, "0.0")
    assert empty.facts["participants"] == [] and "nothing changed but the clock" in told(empty)
    lines = events()
    lines[-3:-3] = [a_round("0.0", 3, [1], 650.0)]
    assert explain_round(read_run(write(tmp_path, lines)), 4, "0.0").facts["at_s"] == 650.0


def test_before_the_first_split_there_are_no_rewards(made):
    words = told(explain_round(made, 1))
    assert "there was one cohort" in words and "Invited in vain: 3, 4." in words


# ---------------------------------------------------------------- the run


def test_the_story_has_about_ten_lines(made):
    answer = tell(made)
    assert 6 <= len(answer.words) <= 11
    assert answer.words[0] == "made, seed 3: auxo on 6 clients, 4 participants a round."
    assert "Cohort 0 split in round 2, after 3 min 20 s: split into 2" in told(answer)
    assert "1 client never took part and is placed by chance." in answer.words
    assert "the worst served client is 3 (80.0 %), the best 2 (100.0 %)" in told(answer)
    # client 2 went from 0.1 to 0.0, as told; from 0 to a child of it is no other cohort
    assert (answer.facts["moves"], answer.facts["told_to_try"], answer.facts["followed"]) == (1, 1, 1)
    assert [leaf["groups"] for leaf in answer.facts["leaves"]] == ["3 of group 0, 1 of group 1", "2 of group 1"]


# ---------------------------------------------------------------- logs that know less


def every(run):
    """All kinds of answers about a run."""
    yield tell(run)
    yield from (explain_client(run, client) for client in range(run.main.last("run").get("clients", 0)))
    yield from (explain_cohort(run, name) for name in run.main.names)
    yield from (explain_round(run, 1 + i) for i in range(len(run.main.of("round"))))


OLD = ("claims", "rewards", "labels", "towards", "explorers", "unused", "members")


def test_a_log_of_an_earlier_version_is_told_as_far_as_it_goes(tmp_path):
    old = [{key: value for key, value in event.items() if key not in OLD} for event in events()]
    run = read_run(write(tmp_path, old))
    words = told(explain_client(run, 2))
    assert "1 of its 6 visits trained there" in words and "earlier version of horae wrote it" in words
    assert "how many as an explorer is not written down" in words
    assert explain_client(run, 2).facts["held"] == {}
    assert "1 explorer; who is not in this log." in explain_round(run, 5).words
    assert all(json.dumps(answer.facts) for answer in every(run))


@pytest.mark.parametrize("n", range(1, len(events())))
def test_a_log_that_breaks_off_is_told_as_far_as_it_goes(n, tmp_path):
    run = read_run(write(tmp_path, events()[:n], summary=False))
    for answer in every(run):
        assert "The run is not finished" in told(answer)
        assert json.dumps(answer.facts)


def test_a_run_that_began_in_another_ones_cohorts_is_not_worked_out(tmp_path):
    run = read_run(write(tmp_path, experiment=EXPERIMENT + 'from = "runs/a"\n'))
    answer = explain_client(run, 2)
    assert "It began with what it remembered of runs/a" in told(answer) and answer.facts["held"] == {}
    assert "Why it sits there cannot be told from this log; 1 of its 6 visits" in told(answer)
    without = read_run(write(tmp_path / "without", experiment=""))
    assert "There is no experiment.toml" in told(explain_client(without, 2))


def test_where_a_client_would_go_if_the_run_went_on(tmp_path):
    run = read_run(write(tmp_path, events()[:10], summary=False))
    assert "It would ask for 0.0: it was told that 0.0 is its own, and expects R = 0.388" in told(
        explain_client(run, 2)
    )


@pytest.mark.parametrize("clustering", ["single", "oracle", "mine.py:Own"])
def test_other_clusterings_have_no_rewards(clustering, tmp_path):
    lines = [{key: value for key, value in event.items() if key not in OLD} for event in events()]
    lines[0]["components"] = {"clustering": clustering}
    run = read_run(write(tmp_path, lines))
    answers = list(every(run))
    assert not any("earlier version" in word for answer in answers[1:7] for word in answer.words)
    because = {
        "single": "cannot be told",
        "oracle": "the oracle knows its planted group",
        "mine.py:Own": "cannot be told",
    }
    assert because[clustering] in told(explain_client(run, 2))


def test_one_model_for_everybody(tmp_path):
    lines = [events()[0], score(0.0, {"0": [6, 0.5]}), a_round("0", 0, [0, 1], 90.0)]
    lines[0]["components"] = {"clustering": "single"}
    run = read_run(write(tmp_path, lines, summary=False))
    assert "because there is no other cohort: single trains one model for everybody" in told(explain_client(run, 1))
    assert "single never splits a cohort" in told(explain_cohort(run, "0"))
    assert "No rewards: single gives none." in explain_round(run, 1).words


# ---------------------------------------------------------------- what there is not


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"client": 6}, "--client should be an id of this run, 0 to 5, got 6"),
        ({"client": -1}, "--client should be an id of this run, 0 to 5, got -1"),
        ({"cohort": "0.7"}, "--cohort should be a cohort of this run, got '0.7'; did you mean '0.1'?"),
        ({"cohort": "x"}, "--cohort should be a cohort of this run, got 'x'; known: 0, 0.0, 0.1"),
        ({"number": 0}, "--round should be a round of this run, 1 to 7, got 0"),
        ({"number": 8}, "--round should be a round of this run, 1 to 7, got 8"),
        ({"number": 1, "cohort": "0.9"}, "--cohort should be a cohort of this run, got '0.9'; did you mean '0.1'?"),
        ({"client": 1, "cohort": "0"}, "--client should stand alone, got 1; leave out --cohort and --round"),
    ],
)
def test_what_there_is_not_is_said_in_one_line(options, message, made):
    with pytest.raises(ConfigError) as caught:
        explain(made.directory, **options)
    assert str(caught.value) == message
    assert list(made.directory.glob("*.png")) == []


# ---------------------------------------------------------------- pictures and tables


@pytest.mark.parametrize(
    ("options", "name", "panels"),
    [
        ({}, "explain-run.png", 1),
        ({"client": 2}, "explain-client-2.png", 2),
        ({"client": 5}, "explain-client-5.png", 0),
        ({"client": 1}, "explain-client-1.png", 1),
        ({"cohort": "0.1"}, "explain-cohort-0.1.png", 2),
        ({"number": 5}, "explain-round-5.png", 2),
        ({"number": 1}, "explain-round-1.png", 1),
        ({"number": 5, "cohort": "0.1"}, "explain-cohort-0.1-round-5.png", 2),
    ],
)
def test_the_picture_lies_beside_the_log_and_is_the_same_every_time(options, name, panels, made, tmp_path):
    answer, file = explain(made.directory, **options)
    assert (file, len(answer.panels)) == (made.directory / name, panels)
    assert file.read_bytes().startswith(PNG)
    _, other = explain(made.directory, **options, out=tmp_path / "other.png")
    assert other.read_bytes() == file.read_bytes()


def test_a_long_table_is_shortened_in_the_middle_and_empty_columns_are_left_out():
    rows = [(str(i), "–", "x") for i in range(50)]
    short = shortened(rows)
    assert (len(short), short[:10], short[10], short[11:]) == (41, rows[:10], ("…",) * 3, rows[20:])
    assert shortened(rows[:40]) == rows[:40]
    assert Grid("", ("a", "b", "c"), rows[:2]).lean == Grid("", ("a", "c"), [("0", "x"), ("1", "x")])


# ---------------------------------------------------------------- nonsense

NONSENSE = st.sampled_from(
    [None, True, -1, 0, 1, 7, 0.5, 1e99, 2**62, "", "0", "0.1", "0.5.5", "x\ny", [], [0], {}, ["0.1"]]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(i=st.integers(0, len(events()) - 1), dice=st.randoms(use_true_random=False), value=NONSENSE)
def test_a_log_with_nonsense_in_it_is_told_or_refused_in_one_line(i, dice, value, tmp_path):
    lines = events()
    inside, key = lines, i
    while isinstance(inside[key], dict | list) and inside[key] and (inside is lines or dice.random() < 0.6):
        inside = inside[key]
        key = dice.choice(sorted(inside) if isinstance(inside, dict) else range(len(inside)))
    inside[key] = value
    try:
        run = read_run(write(tmp_path / "run", lines, summary=False))
    except HoraeError:
        return
    for attempt in (lambda: tell(run), lambda: list(every(run))):
        try:
            attempt()
        except HoraeError as error:
            assert "\n" not in str(error)
