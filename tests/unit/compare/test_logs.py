"""When an accuracy was reached and what a method cost, read from a log written by hand."""

import json

import pytest

from horae.compare.logs import COSTS, Log, costs, reached, read_log


def scores(*accuracies):
    """One every 100 s, 10 participations and 1000 bytes."""
    return [
        {"event": "score", "at_s": 100.0 * i, "participations": 10 * i, "nbytes": 1000 * i, "accuracy": a}
        for i, a in enumerate(accuracies)
    ]


@pytest.mark.parametrize(
    ("accuracies", "target", "at_s"),
    [
        ((0.1, 0.5, 0.9), 0.7, 150.0),  # half of the way from 0.5 to 0.9
        ((0.1, 0.5, 0.9), 0.5, 100.0),
        ((0.1, 0.5, 0.9), 0.9, 200.0),
        ((0.1, 0.5, 0.9), 0.91, None),
        ((0.1, 0.5, 0.9), 0.1, 0.0),  # the first model is there already
        ((0.1, 0.9, 0.3, 0.9), 0.5, 50.0),  # the first time counts
        ((), 0.5, None),
    ],
)
def test_accuracy_rises_in_a_straight_line_between_scores(accuracies, target, at_s):
    found = reached(scores(*accuracies), target)
    want = (None, None, None) if at_s is None else (at_s, at_s / 10, 10 * at_s)
    assert tuple(found.values()) == (pytest.approx(want) if at_s is not None else want)


def test_without_a_target_nothing_is_reached():
    assert set(reached(scores(0.1, 0.9), None).values()) == {None}


def test_scores_of_other_versions_without_a_measure_are_not_guessed():
    found = reached([{"accuracy": 0.1, "at_s": 0.0}, {"accuracy": 0.5, "at_s": 60.0, "nbytes": 5}], 0.3)
    assert found == {
        "time_to_accuracy_s": pytest.approx(30.0),
        "participations_to_accuracy": None,
        "bytes_to_accuracy": None,
    }


def charge(participations=0, up=0, down=0, flops=0):
    return {"participations": participations, "nbytes_up": up, "nbytes_down": down, "flops": flops, "client_s": 0.0}


def test_costs_are_what_is_not_training():
    ledger = {
        "train": charge(10, 2000, 2000, 1000), "straggler": charge(2, 0, 400, 100), "dropout": charge(1, 0, 200, 50),
        "unfinished": charge(3, 0, 600, 10), "losses": charge(10, 80, 4000, 300),
        "pre-training": charge(5, 1000, 1000, 150), "affinity": charge(0, 20, 30),
    }  # fmt: skip
    found = costs(Log({"params": 50}, [], {"ledger": ledger}))
    # 450 FLOPs beside 1000; 3100 bytes up and 8230 down over 10 models of 200 bytes; 10 + 5 clients
    assert found == pytest.approx(
        {"extra_compute": 0.45, "extra_flops": 450, "downloads": 4.115, "uploads": 1.55, "extra_participations": 15}
    )


def test_what_cannot_be_known_is_none():
    assert costs(Log()) == dict.fromkeys(COSTS)
    found = costs(Log({}, [], {"ledger": {"pre-training": charge(5, 10, 10, 150)}}))
    assert (found["extra_compute"], found["downloads"], found["extra_flops"]) == (None, None, 150)


def test_a_log_is_read_as_far_as_it_matters(tmp_path):
    file = tmp_path / "events.jsonl"
    events = [{"event": "run", "params": 3}, *scores(0.1, None, 0.4), {"event": "round"}]
    events += [{"event": "end", "ledger": {"train": charge(1)}}]
    file.write_text("".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events))
    log = read_log(file)
    assert (log.opened["params"], log.best, len(log.scores)) == (3, 0.4, 2)
    assert log.ledger == {"train": charge(1)}
    with file.open("a") as out:
        out.write('{"event":"score",')
    assert read_log(file) == Log()
    assert read_log(tmp_path / "none") == Log()
    assert Log().best is None
