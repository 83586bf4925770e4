"""What a round's event says of single clients: written compactly, read with care, not missed in older logs."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from madelog import a_round, verdict

from horae.pure.tree import CohortTree
from horae.report.difference import difference
from horae.report.log import read_events
from horae.report.recorder import EventLog
from horae.report.schema import fault_of_event
from horae.types import UNKNOWN, Cohort, Feedback, Outcome, Ref, Round, Split, Updates

NAN = float("nan")
LEAVES = ((0,), (1,), (2,))
EMPTY = np.zeros(0, np.float32)
TREE = CohortTree({leaf: Cohort(leaf, EMPTY, EMPTY) for leaf in LEAVES})


def outcome(clients, invited, claims, exploring):
    n = len(clients)
    told = Round((1,), 4, Ref("m", 0), np.array(invited), n, 60.0, np.array([]), np.array([], bool))
    return Outcome(
        told, 1.0, 2.0, np.array(clients), Updates(np.zeros((n, 1), np.float32)), EMPTY, np.ones(n, np.int64),
        np.zeros(n), np.ones(n), np.array(claims), np.array(exploring),
    )  # fmt: skip


def message(clients, reward, cluster, towards):
    return Feedback((1,), np.array(clients), np.array(reward), np.array(cluster), LEAVES, np.array(towards))


def written(tmp_path, *rounds):
    """The events of these rounds, as read again."""
    people = SimpleNamespace(clients=20, groups=np.zeros(20, np.int64), planted=np.array([0]))
    with EventLog(tmp_path / "events.jsonl", people) as log:
        for result, verdicts, feedback in rounds:
            log.round(result, TREE, verdicts, feedback)
    return read_events(tmp_path / "events.jsonl")


def test_every_participant_has_its_place_in_each_column(tmp_path):
    result = outcome([7, 3, 9], [3, 5, 7, 9, 11], [0.12345, NAN, -0.2], [False, True, False])
    heard = message([7, 3, 9], [0.123456, -0.98765, NAN], [1, UNKNOWN, 0], [UNKNOWN, 2, UNKNOWN])
    (event,) = written(tmp_path, (result, [], heard))
    assert event["clients"] == [7, 3, 9]
    assert (event["explorers"], event["unused"]) == ([3], [5, 11])
    assert event["claims"] == [0.123, None, -0.2]
    assert event["rewards"] == [0.1235, -0.9877, None]
    assert event["labels"] == [1, -1, 0]
    assert event["towards"] == [None, "0.2", None]


def test_a_column_that_says_nothing_is_left_out(tmp_path):
    result = outcome([7, 3], [3, 7], [0.0, 0.0], [False, False])
    heard = message([7, 3], [NAN, NAN], [UNKNOWN, UNKNOWN], [UNKNOWN, UNKNOWN])
    empty = outcome([], [4], [], np.zeros(0, bool))
    *told, nobody = written(tmp_path, (result, [], heard), (result, [], None), (empty, [], None))
    extra = {"claims", "rewards", "labels", "towards", "explorers", "unused"}
    assert [extra & event.keys() for event in told] == [set(), set()]
    assert nobody["unused"] == [4] and extra & nobody.keys() == {"unused"}


def test_a_message_to_others_in_another_order_is_put_right(tmp_path):
    result = outcome([7, 3, 9], [3, 7, 9], [NAN] * 3, [False] * 3)
    heard = message([9, 12, 7], [0.9, 0.5, 0.7], [0, 1, 1], [0, 0, UNKNOWN])
    (event,) = written(tmp_path, (result, [], heard))
    assert event["rewards"] == [0.7, None, 0.9]
    assert event["labels"] == [1, -1, 0]
    assert event["towards"] == [None, None, "0.0"]
    strangers = message([12], [0.5], [1], [0])
    assert "rewards" not in written(tmp_path, (result, [], strangers))[-1]


def test_a_split_names_its_members(tmp_path):
    split = Split((1,), 0.9, 0.8, "because", 3, np.array([4, 8, 15, 16]), np.array([2, 0, 2, 0]))
    result = outcome([4], [4], [NAN], [False])
    _, event = written(tmp_path, (result, [split], None))
    assert event["children"] == {"0.1.0": 2, "0.1.1": 0, "0.1.2": 2}
    assert event["members"] == {"0.1.0": [8, 16], "0.1.1": [], "0.1.2": [4, 15]}


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("rewards", [0.5], "rewards should be as long as clients"),
        ("towards", [None, None, None], "towards should be as long as clients"),
        ("rewards", ["high", None], "rewards should be a list of: a number or null"),
        ("rewards", [True, None], "rewards should be a list of: a number or null"),
        ("claims", [1e300, 0], "claims should be a list of: a number or null"),
        ("labels", [0, -2], "labels should be a list of: a cluster, or -1"),
        ("labels", [0, None], "labels should be a list of: a cluster, or -1"),
        ("labels", [0, 2**63], "labels should be a list of: a cluster, or -1"),
        ("towards", [0, None], "towards should be a list of: a cohort's name or null"),
        ("explorers", [-1], "explorers should be a list of whole numbers from 0 on"),
        ("unused", None, "unused should be a list of whole numbers from 0 on"),
    ],
)
def test_a_column_of_another_kind_is_named(field, value, fault):
    event = a_round("0.1", 3, [4, 5], 100.0)
    assert fault_of_event(event) is None
    assert fault_of_event({**event, field: value}) == fault


def test_members_are_ids_by_cohort():
    event = verdict("0", 1, 9.0, 0.9, "split", children={"0.0": 1, "0.1": 1})
    assert fault_of_event(event) is None
    assert fault_of_event({**event, "members": {"0.0": [3], "0.1": [4]}}) is None
    assert fault_of_event({**event, "members": {"0.0": 3}}) == "members should be ids by cohort"


def test_diff_reads_logs_with_and_without_the_columns(tmp_path):
    new = a_round("0.1", 3, [4, 5], 100.0, rewards=[0.5, 0.25])
    old = {key: value for key, value in new.items() if key != "rewards"}
    for name, event in (("new", new), ("old", old)):
        (tmp_path / name).write_text(json.dumps(event) + "\n")
    assert difference(tmp_path / "old", tmp_path / "old").same
    assert difference(tmp_path / "old", tmp_path / "new").first.path == "rewards"
