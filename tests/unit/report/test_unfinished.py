"""Runs that broke off: what there is is shown, and how to go on."""

import pytest
from handmade import a_round, begin, end, last, parse, score, verdict, write, write_log

from horae.errors import RunError
from horae.report.html import write_report

FIRST = [
    begin() | {"components": {"clustering": "auxo"}, "population": {"groups": {"0": 12, "1": 8}}},
    score(0, 0.1, {"0": [20, 0.1]}, {"0": [12, 8]}),
    a_round("0", [1, 2, 3], 1_000, 2_000, 1800.0),
    verdict("0", 20, 0.91, {"0.0": 9, "0.1": 8}) | {"at_s": 1800.0},
    a_round("0.0", [4, 5], 500, 400, 3600.0),
    score(3600, 0.8, {"0.0": [11, 0.9], "0.1": [9, 0.7]}, {"0.0": [11, 0], "0.1": [1, 8]}),
    a_round("0.1", [], 0, 100, 5400.0),
]


def experiment(directory, limit="participations = 6000"):
    (directory / "experiment.toml").write_text(f'name = "digits"\n[budget]\n{limit}\n')


def test_a_run_that_broke_off_is_shown_as_far_as_it_went(tmp_path):
    write_log(tmp_path, FIRST, '{"event":"round","coh')
    experiment(tmp_path)
    page = parse(write_report(tmp_path))
    assert "2 cohorts so far, 80.0 % on average" in page.text
    assert f"Not finished: 5 of 6,000 participations. Go on with horae run --resume {tmp_path} ." in page.text
    assert "Simulated time 1 h 30 min 2 rounds" in page.text  # the third one stayed empty
    assert "Sent by clients 1.5 kB" in page.text and "Sent to clients 2.5 kB" in page.text
    assert "0.0 11 clients 90.0 %" in page.text and "0.1 9 clients 70.0 %" in page.text
    assert "Planted groups by cohorts, at the last score" in page.text
    assert "group 0 11 1 group 1 0 8" in page.text
    assert "so far 5 1.5 kB 2.5 kB 3.0 kFLOP –" in page.text and ("class", "total") not in page.attributes
    assert "Who is served how well" not in page.text and "Mean of participants" not in page.text
    assert "The run ended" not in page.text


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("simulated_s = 172800", "Not finished: 1 h 30 min of 2 d simulated time."),
        ("bytes = 1000000", "Not finished: 4.0 kB of 1.0 MB sent both ways."),
        ("", "Not finished: 5 participations."),
    ],
)
def test_how_far_it_went_is_said_in_the_measure_of_its_budget(limit, words, tmp_path):
    write_log(tmp_path, FIRST)
    experiment(tmp_path, limit)
    assert words in parse(write_report(tmp_path)).text


def test_a_log_alone_is_enough(tmp_path):
    write_log(tmp_path / "<a b>", FIRST[:1])
    page = parse(write_report(tmp_path / "<a b>"))
    assert "Nothing was trained: no round ended" in page.text
    assert f"Go on with horae run --resume '{tmp_path}/<a b>' ." in page.text
    assert "Do it again" not in page.text


def test_arms_are_only_compared_when_both_came_to_their_end(tmp_path):
    # the run itself is over, the arm it is compared with is not
    done = [*FIRST, last(["0.0", "0.1"], [0.9, 0.7] * 10), end()]
    write(tmp_path, done, accuracy=0.8, cohorts=2)
    experiment(tmp_path)
    write_log(tmp_path / "baseline", [FIRST[0] | {"components": {"clustering": "single"}}, *FIRST[1:3]])
    page = parse(write_report(tmp_path))
    assert "2 cohorts, 80.0 % on average Not finished: the arm it is compared with: 3 of 6,000 parti" in page.text
    assert "points above" not in page.text and "do better" not in page.text and "Beside each other" not in page.text
    assert "one global model 0 s 0 10 B 10.0 %" in page.text  # its curve and its numbers are there all the same
    # both are over
    write(tmp_path / "baseline", [*FIRST[:3], last(["0"], [0.5] * 20), end()], accuracy=0.5, clustering="single")
    page = parse(write_report(tmp_path))
    assert "30.0 points above one global model at the same budget" in page.text and "Not finished" not in page.text


def test_an_arm_without_events_has_not_begun(tmp_path):
    write(tmp_path, [*FIRST, last(["0.0", "0.1"], [0.9, 0.7] * 10), end()], accuracy=0.8, cohorts=2)
    write_log(tmp_path / "baseline", [])
    assert "Not finished" not in parse(write_report(tmp_path)).text
    write_log(tmp_path, [])
    with pytest.raises(RunError, match=r"events.jsonl has no events; run the experiment again"):
        write_report(tmp_path)


def test_a_broken_line_is_named_and_nothing_is_written(tmp_path):
    write_log(tmp_path, FIRST)
    (tmp_path / "report.html").write_text("the old one")
    lines = (tmp_path / "events.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "events.jsonl").write_text("".join([*lines[:2], lines[2].replace("[1, 2, 3]", "[1, 2"), *lines[3:]]))
    with pytest.raises(RunError, match=r"events\.jsonl, line 3 "):
        write_report(tmp_path)
    scores = [FIRST[1], FIRST[5] | {"groups": {"0.0": [11], "0.1": [9]}}]
    write_log(tmp_path, [FIRST[0], *scores])
    with pytest.raises(RunError, match=r"events\.jsonl: the scores count different groups"):
        write_report(tmp_path)
    assert (tmp_path / "report.html").read_text() == "the old one"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["events.jsonl", "report.html"]
