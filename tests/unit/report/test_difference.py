"""Where two runs part, on runs written by hand; and as a command."""

import copy
import doctest
import json

import pytest
from typer.testing import CliRunner

import horae.report.difference as module
from horae.cli.diff import as_table, diff, in_words
from horae.errors import RunError
from horae.report.difference import NOTHING, describe, difference, first_field


def a_round(number, clients, cohort="0"):
    seconds = {"started_s": 10.0 * number, "at_s": 10.0 * number + 5}
    counts = {"invited": len(clients), "stragglers": 0, "dropouts": 0, "nbytes_up": 8, "nbytes_down": 8}
    return {"event": "round", "cohort": cohort, "number": number, **seconds, "clients": clients, **counts, "loss": 0.1}


def a_score(accuracy):
    some = dict.fromkeys(("accuracy", "worst10", "best10"), accuracy)
    return {"event": "score", "at_s": 1.0, "participations": 3, "nbytes": 10, **some, "cohorts": {"0": [4, accuracy]}}


BEGIN = {"event": "run", "name": "x", "horae": "1", "seed": 0, "clients": 4, "participants": 3}
END = {"event": "end", "reason": "budget spent", "ledger": {}}
EVENTS = [BEGIN, a_score(0.1), a_round(0, [0, 1, 2]), a_round(1, [1, 2, 3], "0.1"), a_score(0.5), END]


@pytest.fixture
def make(tmp_path):
    """Writes a run directory and hands back its path."""

    def write(
        name, events=EVENTS, baseline=None, summary=None, experiment='name = "x"\n[training]\nlr = 0.1\n', end="\n"
    ):
        directory = tmp_path / name
        directory.mkdir()
        for place, lines in (("", events), ("baseline", baseline)):
            if lines is not None:
                (directory / place).mkdir(exist_ok=True)
                text = "\n".join(map(json.dumps, lines)) + end
                (directory / place / "events.jsonl").write_text(text)
        if summary is not None:
            (directory / "summary.json").write_text(json.dumps(summary))
        if experiment is not None:
            (directory / "experiment.toml").write_text(experiment)
        return directory

    return write


def changed(i, **fields):
    """The events with some fields of one of them changed."""
    events = copy.deepcopy(EVENTS)
    events[i] |= fields
    return events


def parting(one, other):
    first = difference(one, other).first
    return (first.file, first.event, first.path, first.one, first.other)


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(module).failed == 0


# ---------------------------------------------------------------- fields


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (1, 1, None),
        (1, 1.0, None),
        (0.1, 0.1 + 2**-56, ("", 0.1, 0.1 + 2**-56)),
        (0.0, -0.0, ("", 0.0, -0.0)),
        (True, 1, ("", True, 1)),
        (None, 0, ("", None, 0)),
        ("a", "b", ("", "a", "b")),
        ([1, 2], [1, 3], ("[1]", 2, 3)),
        ([1], [1, 2], ("[1]", NOTHING, 2)),
        ([1, 2], [1], ("[1]", 2, NOTHING)),
        ([], {}, ("", [], {})),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 2}]}}, ("a.b[0].c", 1, 2)),
        ({"a": 1}, {"b": 1}, ("a", 1, NOTHING)),
        ({}, {"b": 1}, ("b", NOTHING, 1)),
        ({"b": 1, "a": 1}, {"a": 2, "b": 2}, ("b", 1, 2)),  # in the order of the first
        ({"wall": 1, "run_wall_s": 2}, {"wall": 2}, None),
        ({"a": {"wall_s": 1}}, {"a": {"wall_s": 2}}, None),
    ],
)
def test_the_first_field_that_differs(one, other, found):
    assert first_field(one, other) == found


# ---------------------------------------------------------------- runs


def test_the_same_is_the_same(make):
    summary = {"accuracy": 0.5, "train_wall_s": 1.0, "directory": "a"}
    one = make("one", baseline=EVENTS[:4], summary=summary)
    other = make("other", baseline=EVENTS[:4], summary={**summary, "train_wall_s": 2.0, "directory": "b"})
    found = difference(one, other)
    assert found.same
    assert found.experiment == []
    assert in_words(found, "one", "other") == ["the same: 6 events, and 4 of the baseline"]
    assert as_table(found) == {"same": True, "events": 10, "experiment": {}}


def test_an_event_and_its_field_are_named(make):
    one, other = make("one"), make("other", changed(3, clients=[1, 2, 0]))
    found = difference(one, other)
    assert parting(one, other) == ("events.jsonl", 4, "clients[2]", 3, 0)
    assert in_words(found, "a", "b") == ["event 4 (round 1 of cohort 0.1) differs in clients[2]: 3 | 0"]
    where = {"file": "events.jsonl", "event": 4, "what": "round 1 of cohort 0.1", "field": "clients[2]"}
    assert as_table(found) == {"same": False, "events": 3, "where": where, "one": 3, "other": 0, "experiment": {}}


def test_the_first_event_counts_and_not_a_later_one(make):
    events = changed(2, loss=0.2)
    events[4] = a_score(0.9)
    assert parting(make("one"), make("other", events)) == ("events.jsonl", 3, "loss", 0.1, 0.2)


def test_another_kind_of_event_is_a_difference_in_event(make):
    events = [*EVENTS[:3], a_score(0.3), *EVENTS[4:]]
    assert parting(make("one"), make("other", events)) == ("events.jsonl", 4, "event", "round", "score")


def test_real_time_in_an_event_is_no_difference(make):
    assert difference(make("one", changed(5, wall_s=1.0)), make("other", changed(5, wall_s=2.0))).same


@pytest.mark.parametrize("end", ["\n", '\n{"event":"rou'])
def test_a_log_that_is_the_beginning_of_the_other(make, end):
    one, other = make("one"), make("other", EVENTS[:4], end=end)
    line = "b ends after event 4; a goes on with a score after 3 participations"
    assert in_words(difference(one, other), "a", "b") == [line]
    line = "a ends after event 4; b goes on with a score after 3 participations"
    assert in_words(difference(other, one), "a", "b") == [line]
    assert as_table(difference(other, one))["other"] == "score"
    assert "one" not in as_table(difference(other, one))


def test_a_log_without_events(make):
    found = difference(make("one", [], end=""), make("other"))
    assert in_words(found, "a", "b") == ["a has no events; b begins with the run"]


def test_the_baseline_is_compared_after_the_run(make):
    one, other = make("one", baseline=EVENTS), make("other", baseline=changed(2, dropouts=1))
    assert parting(one, other) == ("baseline/events.jsonl", 3, "dropouts", 0, 1)
    words = in_words(difference(one, other), "a", "b")
    assert words == ["baseline: event 3 (round 0 of cohort 0) differs in dropouts: 0 | 1"]
    third = make("third", changed(4, accuracy=0.6), baseline=changed(2, dropouts=1))
    assert parting(one, third)[:3] == ("events.jsonl", 5, "accuracy")


def test_a_baseline_that_only_one_has(make):
    found = difference(make("one"), make("other", baseline=EVENTS))
    assert in_words(found, "a", "b") == ["baseline: a has no events; b begins with the run"]


def test_the_summary_is_compared_last(make):
    one, other = (
        make("one", summary={"accuracy": 0.5, "gain": 0.1}),
        make("other", summary={"accuracy": 0.5, "gain": 0.2}),
    )
    assert parting(one, other) == ("summary.json", 0, "gain", 0.1, 0.2)
    assert in_words(difference(one, other), "a", "b") == ["summary.json differs in gain: 0.1 | 0.2"]
    unfinished = make("unfinished")
    assert in_words(difference(one, unfinished), "a", "b") == ["summary.json: only a has one"]


def test_fields_of_the_experiment_are_named_whether_or_not_events_differ(make):
    other = make("other", experiment='name = "x"\n[training]\nlr = 0.2\nbatch = 5\n')
    found = difference(make("one"), other)
    assert found.same
    assert in_words(found, "a", "b") == [
        "the same: 6 events",
        "experiment: training.lr: 0.1 | 0.2",
        "experiment: training.batch: nothing | 5",
    ]
    assert as_table(found)["experiment"] == {"training.lr": [0.1, 0.2], "training.batch": [None, 5]}


def test_two_logs_or_a_log_and_a_directory(make):
    one, other = make("one"), make("other", experiment="seed = 3", summary={"accuracy": 0.1})
    assert difference(one / "events.jsonl", other / "events.jsonl").same
    assert difference(one / "events.jsonl", other).same  # only the logs are compared then


@pytest.mark.parametrize(
    ("file", "data", "message"),
    [
        ("events.jsonl", b'{"event":"round"}\n', r"events\.jsonl, line 1: event round should have a field cohort"),
        ("events.jsonl", b"not json\n", r"events\.jsonl, line 1 is no JSON"),
        ("experiment.toml", b"= 3", r"experiment\.toml is not TOML: .*; was it changed by hand\?"),
        ("experiment.toml", b"\xff", r"experiment\.toml is no text in UTF-8"),
        ("summary.json", b"[]", r"summary\.json: it should be a JSON object"),
    ],
)
def test_what_is_broken_is_named(make, file, data, message):
    one, other = make("one", summary={}), make("other", summary={})
    (other / file).write_bytes(data)
    for pair in ((one, other), (other, one)):
        with pytest.raises(RunError, match=message):
            difference(*pair)


def test_equal_lines_that_are_no_events_are_refused_too(make):
    pair = make("one", [{"event": "end"}]), make("other", [{"event": "end"}])
    with pytest.raises(RunError, match=r"line 1: event end should have a field reason"):
        difference(*pair)


def test_what_is_missing_is_named(make, tmp_path):
    one = make("one")
    with pytest.raises(RunError, match=r"there is no .*nowhere; is this a run directory\?"):
        difference(one, tmp_path / "nowhere")
    (one / "events.jsonl").unlink()
    with pytest.raises(RunError, match=r"there is no .*events\.jsonl; is this a run directory\?"):
        difference(one, make("other"))


def test_logs_are_read_side_by_side_and_no_further_than_needed(make, monkeypatch):
    one, other = make("one"), make("other", changed(1, accuracy=0.2))
    with (other / "events.jsonl").open("ab") as log:
        log.write(b"what comes later is not looked at\n")
    assert parting(one, other) == ("events.jsonl", 2, "accuracy", 0.1, 0.2)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (EVENTS[0], "the run"),
        (EVENTS[1], "a score after 3 participations"),
        (EVENTS[3], "round 1 of cohort 0.1"),
        ({"event": "verdict", "cohort": "0", "round": 7}, "the verdict of cohort 0 after round 7"),
        ({"event": "eclipse"}, "the eclipse"),
    ],
)
def test_an_event_in_words(event, words):
    assert describe(event) == words


# ---------------------------------------------------------------- the command


def call(*args):
    import typer

    app = typer.Typer()
    app.command()(diff)
    return CliRunner().invoke(app, [*map(str, args)])


def test_the_command_says_it_in_words_and_by_its_exit_code(make):
    one, other, third = make("one"), make("other"), make("third", changed(0, seed=5))
    same, apart = call(one, other), call(one, third)
    assert (same.exit_code, same.stdout) == (0, "the same: 6 events\n")
    assert (apart.exit_code, apart.stdout) == (1, "event 1 (the run) differs in seed: 0 | 5\n")


def test_the_command_prints_one_object(make):
    one, other = make("one"), make("other", changed(0, seed=5))
    same, apart = call(one, one, "--json"), call(one, other, "--json")
    assert (same.exit_code, json.loads(same.stdout)["same"]) == (0, True)
    assert (apart.exit_code, json.loads(apart.stdout)["where"]["field"]) == (1, "seed")


def test_long_values_are_shortened_for_people(make):
    found = difference(make("one"), make("other", changed(0, name="x" * 5000)))
    (line,) = in_words(found, "a", "b")
    assert line.startswith("event 1 (the run) differs in name: 'x' | 'xxx")
    assert len(line) < 200
