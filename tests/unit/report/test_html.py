"""The page over run directories written by hand: with a split, without one, and with nothing but trouble in it."""

import pytest
from handmade import EVIL, a_round, begin, end, last, parse, score, verdict, write

from horae.errors import RunError
from horae.report.html import write_report


def a_single_model(directory, accuracy, worst=0.5):
    scores = [score(0, 0.1, {"0": [20, 0.1]}), score(9_000, accuracy, {"0": [20, accuracy]})]
    events = [begin(), *scores, a_round("0", [1, 2]), last(["0"], [accuracy] * 20), end()]
    write(directory, events, accuracy=accuracy, clustering="single", accuracy_worst10=worst)


@pytest.fixture
def split(tmp_path):
    """Two cohorts of ten, split in round 20."""
    early = [score(0, 0.1, {"0": [20, 0.1]}), a_round("0", [1, 2, 3]), verdict("0", 10, None), verdict("0", 15, 0.6)]
    parting = verdict("0", 20, 0.91, {"0.0": 9, "0.1": 8}, "split into 2: explained 0.91 >= 0.85")
    late = [verdict("0.1", 30, 0.4), a_round("0.1", []), score(9_000, 0.9, {"0.0": [10, 0.85], "0.1": [10, 0.95]})]
    events = [begin(), *early, parting, *late, last(["0.0", "0.1"], [0.85, 0.95] * 10, group=None), end()]
    write(tmp_path, events, accuracy=0.9, cohorts=2, adjusted_rand_index=0.75, accuracy_worst10=0.85)
    return tmp_path


def test_a_split_is_told_with_its_gain_and_its_reason(split):
    a_single_model(split / "baseline", 0.75)
    page = parse(write_report(split))
    assert "2 cohorts, 90.0 % on average, 15.0 points above one global model at the same budget" in page.text
    assert "split into 2 in round 20, after 20 min; statistic 0.910 against a threshold of 0.850" in page.text
    assert "split into 2: explained 0.91 >= 0.85" in page.text and "no split: 3 members < 20" in page.text
    assert "20 do better, 0 do worse, 0 do exactly as well" in page.text
    assert "1 round with 9 invitations: 3 answered in time, 4 too late, 2 dropped out." in page.text
    for words in (
        "0.750",
        "3 h 20 min",
        "4.0 MB",
        "35.0 points above",
        "group 1 0 10",
        "1 round stayed empty",
        "seed 7",
    ):
        assert words in page.text
    assert page.attributes.count(("class", "total")) == 1 and "together 60 4.0 MB 6.0 MB 10 FLOP 3 min" in page.text
    # accuracy against three things, the statistic, the clients, who is where: each for wide and for narrow screens
    assert page.attributes.count(("role", "img")) == 2 * 6


def test_a_loss_is_told_as_plainly(split):
    a_single_model(split / "baseline", 0.95)
    assert "90.0 % on average, 5.0 points below one global model" in parse(write_report(split)).text


def test_a_gain_on_average_does_not_hide_a_loss_at_the_tail(split):
    a_single_model(split / "baseline", 0.75, worst=0.88)
    words = "15.0 points above one global model at the same budget; but the worst tenth of clients is 3.0 points below"
    assert words in parse(write_report(split)).text


def test_no_split_is_the_same_as_a_single_model(tmp_path):
    a_single_model(tmp_path / "baseline", 0.75)
    scored = score(0, 0.75, {"0": [20, 0.75]}), last(["0"], [0.75] * 20)
    write(tmp_path, [begin(), verdict("0", 10, None), *scored, end()], accuracy=0.75, accuracy_worst10=0.5)
    page = parse(write_report(tmp_path))
    assert "No split: one cohort, the same as one global model at the same budget: 75.0 % on average" in page.text
    assert "One cohort, and why it did not split" in page.text and "Who is where" not in page.text


def test_without_a_baseline_nothing_is_compared(split):
    page = parse(write_report(split))
    assert "2 cohorts, 90.0 % on average" in page.text and "one global model" not in page.text


def test_hostile_names_and_no_accuracy_at_all(tmp_path):
    child = f"{EVIL}.0"
    looks = [verdict(EVIL, 10, None, {child: 1}, EVIL), a_round(EVIL, [0]), last([child], [None, None], group=0)]
    write(tmp_path, [begin(EVIL), score(0, None, {EVIL: [2, None]}), *looks, end(EVIL)], accuracy=None, name=EVIL)
    page = parse(write_report(tmp_path))
    assert "no test samples to tell how accurate" in page.text and "Accuracy over time" not in page.text
    assert page.text.count(EVIL) >= 5


def test_dollars_are_no_mathematics(tmp_path):
    events = [begin(), score(0, 0.5, {"$x^$": [2, 0.5]}), verdict("$x^$", 1, 0.5), last(["$x^$"], [0.5, 0.5]), end()]
    write(tmp_path, events, accuracy=0.5)
    assert "○ cohort $x^$" in parse(write_report(tmp_path)).text


def test_nobody_came(tmp_path):
    over = end("nobody came") | {"ledger": {}}
    events = [begin(), score(0, 0.1, {"0": [2, 0.1]}), last(["0"], [0.1, 0.1]), over]
    write(tmp_path, events, accuracy=0.1, rounds=0, participations=0)
    assert "Nothing was trained: nobody came" in parse(write_report(tmp_path)).text


def test_a_log_that_breaks_off_is_still_shown(tmp_path):
    write(tmp_path, [begin()], accuracy=None, rounds=0, simulated_s=None)
    assert "Nothing was trained: no round ended" in parse(write_report(tmp_path)).text


def test_writing_twice_gives_the_same_bytes(split):
    first = write_report(split).read_bytes()
    assert write_report(split).read_bytes() == first


def test_a_directory_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="is this a run directory"):
        write_report(tmp_path)
