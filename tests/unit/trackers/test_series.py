"""From events to points: totals, steps, cohorts, and no client."""

from horae.trackers.series import Series

ROUND = {
    "event": "round", "cohort": "0.1", "number": 4, "at_s": 60.0, "clients": [7, 9], "stragglers": 1, "dropouts": 0,
    "refused": 0, "loss": 0.5, "nbytes_up": 100, "nbytes_down": 300, "flops": 1000, "claims": [1, 2],
}  # fmt: skip
SCORE = {
    "event": "score", "at_s": 61.0, "participations": 4, "nbytes": 800, "accuracy": 0.5, "worst10": 0.25,
    "best10": None, "variance": 0.01, "loss": 1.5, "cohorts": {"0.0": [3, 0.25], "0.1": [1, None]}, "groups": None,
}  # fmt: skip


def test_rounds_add_up_and_belong_to_their_cohort():
    series = Series()
    series.of(ROUND)
    point = series.of({**ROUND, "at_s": 70.0, "cohort": "0", "number": 5, "loss": None})
    assert (point.number, point.step, point.at_s) == (2, 4, 70.0)
    assert point.numbers == {
        "total/nbytes_up": 200, "total/nbytes_down": 600, "total/flops": 2000, "total/stragglers": 2,
        "total/dropouts": 0, "total/refused": 0, "total/rounds": 2, "total/participations": 4,
        "cohort/0/round": 6, "cohort/0/participants": 2,
    }  # fmt: skip


def test_a_score_is_told_as_the_summary_names_it():
    point = Series().of(SCORE)
    assert (point.number, point.step, point.at_s) == (1, 4, 61.0)
    assert point.numbers == {
        "accuracy": 0.5, "accuracy_worst10": 0.25, "accuracy_variance": 0.01, "loss": 1.5, "cohorts": 2,
        "cohort/0.0/clients": 3, "cohort/0.0/accuracy": 0.25, "cohort/0.1/clients": 1,
    }  # fmt: skip


def test_splits_are_counted_and_their_statistic_is_told():
    series, verdict = Series(), {"event": "verdict", "cohort": "0", "at_s": 5.0, "threshold": 0.75, "reason": "..."}
    first = series.of({**verdict, "split": True, "statistic": 0.5, "members": {"0.0": [1, 2]}})
    assert first.numbers == {"cohort/0/split_statistic": 0.5, "cohort/0/split_threshold": 0.75, "total/splits": 1}
    assert series.of({**verdict, "split": False, "statistic": None}).numbers["total/splits"] == 1


def test_the_end_is_the_ledger():
    series = Series()
    assert not series.ended
    point = series.of({"event": "end", "reason": "budget spent", "ledger": {"train": {"nbytes_up": 3, "flops": 0}}})
    assert point.numbers == {"ledger/train/nbytes_up": 3, "ledger/train/flops": 0}
    assert series.ended


def test_events_without_numbers_count_and_add_nothing():
    series = Series()
    quiet = [{"event": "run", "seed": 3}, {"event": "clients", "ids": [1], "accuracy": [0.5]}, {"event": "news"}]
    assert [series.of(event) for event in quiet] == [None] * 3
    assert series.of({"event": "metrics", "accuracy_global": 0.5, "rmse": None}).numbers == {"accuracy_global": 0.5}
    assert series.of(SCORE).number == 5


def test_no_point_names_a_client():
    found = [Series().of(event).numbers for event in (ROUND, SCORE)]
    assert not [name for numbers in found for name in numbers if "7" in name or "9" in name or "claims" in name]
