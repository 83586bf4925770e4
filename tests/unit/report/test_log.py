"""Run directories as they are read: what a run writes is taken, anything else is named by file and line."""

import copy
import json

import pytest

from horae.errors import RunError
from horae.report.log import read_events, read_summary, read_text
from horae.report.reading import read_arm
from horae.report.recorder import read
from horae.report.schema import fault_of_event, fault_of_summary

EVENTS = {
    "run": {"event": "run", "name": "x", "horae": "1", "seed": 0, "clients": 2, "participants": 1,
            "population": {"groups": {"0": 2}}},
    "score": {"event": "score", "at_s": 0, "participations": 0, "nbytes": 0, "accuracy": 0.5, "worst10": None,
              "best10": 1, "cohorts": {"0": [2, 0.5]}, "groups": {"0": [2]}},
    "round": {"event": "round", "cohort": "0", "number": 0, "started_s": 1.0, "at_s": 2.0, "clients": [0, 1],
              "invited": 2, "stragglers": 0, "dropouts": 0, "nbytes_up": 8, "nbytes_down": 8, "loss": None},
    "verdict": {"event": "verdict", "cohort": "0", "round": 1, "at_s": 2.0, "split": True, "statistic": 0.9,
                "threshold": None, "reason": "why", "children": {"0.0": 1, "0.1": 1}},
    "clients": {"event": "clients", "ids": [0, 1], "cohorts": ["0.0", "0.1"], "home": [0, 1], "accuracy": [0.5, None],
                "visits": [1, 0], "group": [0, -1]},
    "end": {"event": "end", "reason": "budget spent", "ledger": {"train": {"flops": 3, "client_s": 0.5}}},
}  # fmt: skip
SUMMARY = {"name": "x", "accuracy": 0.5, "cohorts": 2, "splits": ["why"], "time_to_accuracy_s": None, "gain": -0.1}


def write(directory, events=None, summary=None, end="\n"):
    directory.mkdir(exist_ok=True)
    events = EVENTS.values() if events is None else events
    (directory / "events.jsonl").write_text("\n".join(map(json.dumps, events)) + end)
    if summary is not None:
        (directory / "summary.json").write_text(json.dumps(summary))
    return directory


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_what_a_run_writes_is_right(event):
    assert fault_of_event(event) is None
    assert fault_of_event({**event, "a field of tomorrow": [float("inf")]}) is None


def test_an_event_of_tomorrow_is_left_alone():
    assert fault_of_event({"event": "eclipse", "cohort": 3}) is None


@pytest.mark.parametrize("line", [[], 3, None, "run", {}, {"event": None}, {"event": 3}, {"event": ["run"]}])
def test_what_is_no_event_is_refused(line):
    assert fault_of_event(line) == 'it should be a JSON object with a text "event"'


@pytest.mark.parametrize(
    ("kind", "field", "value", "fault"),
    [
        ("run", "seed", "0", "seed should be a whole number from 0 on"),
        ("run", "seed", True, "seed should be a whole number from 0 on"),
        ("run", "name", None, "name should be a text"),
        ("run", "population", [], "population should be a table"),
        ("run", "population", {"groups": [1]}, "groups should be a table of: a whole number from 0 on"),
        ("run", "components", {"model": 3}, "components should be a table of: a text"),
        ("score", "at_s", -1, "at_s should be seconds"),
        ("score", "at_s", 10**400, "at_s should be seconds"),
        ("score", "accuracy", 94.6, "accuracy should be a share between 0 and 1 or null"),
        ("score", "accuracy", "0.5", "accuracy should be a share between 0 and 1 or null"),
        ("score", "cohorts", {"0": [2]}, "cohorts should be clients and their accuracy by cohort"),
        ("score", "cohorts", {"": [2, 0.5]}, "cohorts should be clients and their accuracy by cohort"),
        ("score", "cohorts", {"0" + ".0" * 60: [2, 0.5]}, "cohorts should be clients and their accuracy by cohort"),
        ("score", "groups", {"0": [1], "1": [1, 2]}, "groups should be clients of each group by cohort, or null"),
        ("score", "loss", float("inf"), "loss should be a number or null"),
        ("round", "clients", {"0": 1}, "clients should be a list of whole numbers from 0 on"),
        ("round", "clients", [0.5], "clients should be a list of whole numbers from 0 on"),
        ("round", "cohort", 0, "cohort should be a cohort's name"),
        ("round", "nbytes_up", -1, "nbytes_up should be a number from 0 on"),
        ("round", "refused", None, "refused should be a whole number from 0 on"),
        ("verdict", "split", 1, "split should be true or false"),
        ("verdict", "statistic", "high", "statistic should be a number or null"),
        ("verdict", "children", {"0.0": -1}, "children should be clients by cohort"),
        ("clients", "home", [0, 2], "home should hold places in cohorts"),
        ("clients", "home", [0], "ids, home, accuracy, visits and group should be equally long"),
        ("clients", "group", [0, -2], "group should be a list of: a group, or -1"),
        ("end", "ledger", {"train": 3}, "ledger should be a table of: a table of: a number from 0 on"),
    ],
)
def test_a_field_of_another_kind_is_named(kind, field, value, fault):
    assert fault_of_event({**EVENTS[kind], field: value}) == fault


@pytest.mark.parametrize(
    ("kind", "field"), [("run", "name"), ("round", "clients"), ("end", "ledger"), ("score", "at_s")]
)
def test_a_missing_field_is_named(kind, field):
    event = copy.deepcopy(EVENTS[kind])
    del event[field]
    assert fault_of_event(event) == f"event {kind} should have a field {field}"


def test_children_are_missing_only_where_something_split():
    whole = {key: value for key, value in EVENTS["verdict"].items() if key != "children"}
    assert fault_of_event(whole) == "a split should have a field children"
    assert fault_of_event({**whole, "split": False}) is None


@pytest.mark.parametrize(
    ("summary", "fault"),
    [
        ([], "it should be a JSON object"),
        ({"accuracy": "high"}, "accuracy should be a share between 0 and 1 or null"),
        ({"cohorts": None}, "cohorts should be a whole number from 0 on"),
        ({"splits": [3]}, "splits should be a list of: a text"),
        ({"baseline": {"accuracy": 2}}, "accuracy should be a share between 0 and 1 or null"),
        ({"something": "else"}, None),
        (SUMMARY, None),
    ],
)
def test_a_summary_is_held_to_its_kinds(summary, fault):
    assert fault_of_summary(summary) == fault


# ---------------------------------------------------------------- files


def test_a_run_is_read_as_far_as_it_came(tmp_path):
    arm = read_arm(write(tmp_path / "whole", summary=SUMMARY))
    assert (arm.events, arm.summary) == (list(EVENTS.values()), SUMMARY)
    half = write(tmp_path / "half", [*EVENTS.values()][:3], end='\n{"event":"verd')
    assert (read_arm(half).events, read_arm(half).summary) == ([*EVENTS.values()][:3], {})
    unended = write(tmp_path / "unended", [*EVENTS.values()][:3], end="")  # whole, but for its line feed
    assert read(unended / "events.jsonl") == [*EVENTS.values()][:3]
    assert read_arm(write(tmp_path / "empty", [], end="")).events == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b'{"event":"end"}\n',
            r"line 1: event end should have a field reason; it is broken, or no run wrote it: run the",
        ),
        (
            b'{"event":"new"}\n{"a":\n{"event":"new"}\n',
            r"line 2 is no JSON: Expecting value: line 1 column 6 \(char 5\); it",
        ),
        (b'{"event":"new"}\n\n{"event":"new"}\n', "line 2 is no JSON: Expecting value"),
        (b'{"event":"new","x":NaN}\n', "line 1 is no JSON: 'NaN' is no number"),
        (b'{"event":"\xff"}\n', "line 1 is no JSON: 'utf-8' codec can't decode byte 0xff"),
        (b"[" * 100_000 + b"\n", "line 1 is no JSON: maximum recursion depth"),
        (b"[1]\n", 'line 1: it should be a JSON object with a text "event"'),
        (b"9" * 5000 + b"\n", "line 1 is no JSON: Exceeds the limit"),
    ],
)
def test_a_broken_line_is_named(data, message, tmp_path):
    (tmp_path / "events.jsonl").write_bytes(data)
    with pytest.raises(RunError, match=message) as caught:
        read_events(tmp_path / "events.jsonl")
    assert str(tmp_path / "events.jsonl") in str(caught.value)


def test_what_is_no_run_directory_is_said(tmp_path):
    with pytest.raises(RunError, match=r"there is no .*events\.jsonl; is this a run directory\?"):
        read_arm(tmp_path)
    (tmp_path / "events.jsonl").mkdir()
    with pytest.raises(RunError, match=r"events\.jsonl is not a file; is this a run directory\?"):
        read_arm(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="there is no"):
        read_arm(tmp_path / "file")
    with pytest.raises(RunError, match="File name too long"):
        read_arm(tmp_path / ("x" * 300))


@pytest.mark.parametrize("data", [b"[]", b"{", b"\xff", b'{"accuracy": NaN}', b"", b"[" * 100_000])
def test_a_broken_summary_is_named(data, tmp_path):
    write(tmp_path)
    (tmp_path / "summary.json").write_bytes(data)
    with pytest.raises(RunError, match=r"summary\.json") as caught:
        read_summary(tmp_path / "summary.json")
    assert str(caught.value).isprintable()
    with pytest.raises(RunError, match=r"summary\.json"):
        read_arm(tmp_path)


def test_a_text_that_is_none_is_named(tmp_path):
    (tmp_path / "experiment.toml").write_bytes(b"ab\xff")
    with pytest.raises(RunError, match=r"experiment\.toml is no text in UTF-8 \(byte 2\)"):
        read_text(tmp_path / "experiment.toml")
