"""One page about several runs, over directories written by hand."""

import json

import pytest
from handmade import EVIL, a_round, begin, end, last, parse, score, verdict, write, write_log

from horae.errors import RunError
from horae.report.figures.curves import DASHES, MANY, fleet
from horae.report.loading import read_run
from horae.report.many import differences, titles, write_report_of
from horae.report.reading import Arm
from horae.report.svg import SOFT

TOML = """name = "{name}"
seed = {seed}
[budget]
participations = 600
[clustering]
name = "{clustering}"
"""


def a_run(directory, accuracy, clustering="auxo", seed=7, name="digits", more=""):
    """A finished run of one cohort. more: fields of the clustering."""
    scores = [score(0, 0.1, {"0": [20, 0.1]}), score(9_000, accuracy, {"0": [20, accuracy]})]
    first = begin(name) | {"seed": seed}
    events = [first, a_round("0", [1, 2]), verdict("0", 10, 0.4), *scores, last(["0"], [accuracy] * 20), end()]
    write(directory, events, accuracy=accuracy, clustering=clustering, seed=seed, name=name)
    text = TOML.format(name=name.replace("'", ""), seed=seed, clustering=clustering)
    (directory / "experiment.toml").write_text(text + more)
    return directory


def test_every_run_has_a_row_and_a_place_of_its_own(tmp_path):
    one, two = a_run(tmp_path / "one", 0.9, more="gamma = 0.2\n"), a_run(tmp_path / "two", 0.75, "single", seed=8)
    a_run(one / "baseline", 0.7, "single")
    out = tmp_path / "page.html"
    assert write_report_of([one, two], out) == out
    page = parse(out)
    assert "2 runs, from 75.0 % to 90.0 % on average" in page.text
    assert "○ 1 · seed 7, auxo auxo 7 90.0 % 90.0 % +20.0 1 – 3 h 20 min 10.0 MB" in page.text
    assert "□ 2 · seed 8, single single 8 75.0 % 75.0 % – 1 – 3 h 20 min 10.0 MB" in page.text
    assert f"run directory seed clustering.name 1 · seed 7, auxo {one} 7 auxo" in page.text
    assert "clustering.gamma" not in page.text  # only auxo has one
    assert "○ 1 · seed 7, auxo 90.0 % 90.0 % 90.0 % 90.0 % 90.0 % 90.0 %" in page.text
    assert "○ 1 · seed 7, auxo: No split: one cohort, 90.0 % on average, 20.0 points above one global mo" in page.text
    # accuracy three times, the clients, and each run's statistic: for wide and for narrow screens
    assert page.attributes.count(("role", "img")) == 2 * (4 + 2)


def test_what_differs_is_told_once(tmp_path):
    wide, narrow = "gamma = 0.2\nk_max = 8\n", "gamma = 0.4\nk_max = 8\n"
    runs = [
        a_run(tmp_path / "a", 0.9, more=wide),
        a_run(tmp_path / "b", 0.9, more=narrow),
        a_run(tmp_path / "c", 0.9, "single"),
    ]
    assert differences(list(map(read_run, runs))) == {
        "clustering.name": ["auxo", "auxo", "single"],
        "clustering.gamma": [0.2, 0.4, None],  # the two that have one differ; of k_max they have the same
    }
    budget = (runs[1] / "experiment.toml").read_text().replace("participations = 600", "bytes = 5")
    (runs[1] / "experiment.toml").write_text(budget)
    assert differences(list(map(read_run, runs[:2]))) == {
        "budget.participations": [600, None],
        "budget.bytes": [None, 5],
        "clustering.gamma": [0.2, 0.4],
    }


def test_runs_that_do_not_differ_are_called_by_their_directories(tmp_path):
    runs = [read_run(a_run(tmp_path / name, 0.9)) for name in ("a", "b")]
    assert differences(runs) == {}
    assert titles(runs, {}) == ["a", "b"]
    deep = [read_run(a_run(tmp_path / name / "run", 0.9)) for name in ("a", "b")]
    assert titles(deep, {}) == [str(tmp_path / "a" / "run"), str(tmp_path / "b" / "run")]
    assert titles(runs, {"x": ["far too long for a title " * 2, "short"]}) == ["a", "b"]


def test_a_field_to_a_row_where_there_are_more_fields_than_runs(tmp_path):
    one = a_run(tmp_path / "a", 0.9, more="gamma = 0.2\nk_max = 8\n")
    two = a_run(tmp_path / "b", 0.9, seed=8, name="other", more="gamma = 0.4\nk_max = 4\n")
    page = parse(write_report_of([one, two], tmp_path / "page.html"))
    head = "field 1 · seed 7, gamma 0.2, k_max 8 2 · seed 8, gamma 0.4, k_max 4"
    assert f"{head} directory {one} {two} name digits other seed 7 8" in page.text
    assert "clustering.gamma 0.2 0.4 clustering.k_max 8 4" in page.text


def test_the_same_directory_twice_is_one_run(tmp_path):
    one = a_run(tmp_path / "one", 0.9)
    page = parse(write_report_of([one, tmp_path / "." / "one"], tmp_path / "page.html"))
    assert "No split: one cohort, 90.0 % on average" in page.text and "runs" not in page.text.split("}")[-1]


def test_more_runs_than_can_be_told_apart_are_grey_but_for_two(tmp_path):
    accuracies = [0.5, 0.9, 0.6, 0.7, 0.4, 0.65, 0.55, 0.45, 0.8]
    arms = [Arm([], {"accuracy": accuracy}) for accuracy in accuracies]
    curves = fleet(arms, [str(i) for i in range(9)])
    assert [curve.tag for curve in curves] == ["", "2", "", "", "5", "", "", "", ""]
    assert {curve.colour for curve in curves if not curve.tag} == {SOFT}
    few = fleet(arms[:MANY], [str(i) for i in range(MANY)])
    assert len({(curve.colour, curve.marker) for curve in few}) == len({curve.sign for curve in few}) == MANY
    assert len({curve.marker for curve in few}) == MANY and len({curve.dash for curve in few}) == len(DASHES)


def test_a_page_with_many_runs_names_the_best_and_the_worst(tmp_path):
    runs = [a_run(tmp_path / str(i), 0.5 + 0.01 * i, seed=i) for i in range(9)]
    page = parse(write_report_of(runs, tmp_path / "page.html"))
    assert "9 runs, from 50.0 % to 58.0 % on average" in page.text
    assert "Grey: all runs but the best and the worst on average." in page.text
    assert "○ 9 · seed 8 auxo 8 58.0 %" in page.text and "□ 1 · seed 0 auxo 0 50.0 %" in page.text


def test_an_unfinished_run_among_others_is_marked_as_one(tmp_path):
    one, two = a_run(tmp_path / "one", 0.9), tmp_path / "two"
    write_log(two, [begin(EVIL), score(0, 0.2, {EVIL: [20, 0.2]}), a_round(EVIL, [1, 2])], '{"ev')
    (two / "experiment.toml").write_text(TOML.format(name="digits", seed=3, clustering="auxo"))
    page = parse(write_report_of([one, two], tmp_path / "page.html"))
    assert f"Not finished, □ 2 · seed 3: 2 of 600 participations. Go on with horae run --resume {two} ." in page.text
    assert "from 20.0 % to 90.0 % on average" in page.text and EVIL in page.text
    assert "Left out: runs that have no accuracy of every client" in page.text


def test_writing_twice_gives_the_same_bytes_and_a_broken_run_leaves_them(tmp_path):
    runs = [a_run(tmp_path / name, 0.9) for name in ("a", "b")]
    out = tmp_path / "page.html"
    first = write_report_of(runs, out).read_bytes()
    assert write_report_of(runs, out).read_bytes() == first
    (runs[1] / "experiment.toml").write_text("x = = 2\n")
    with pytest.raises(RunError, match=r"b/experiment.toml is broken: Invalid value \(at line 1, column 5\)"):
        write_report_of(runs, out)
    (runs[1] / "summary.json").write_text(json.dumps({"accuracy": 7}))
    with pytest.raises(RunError, match=r"b/summary.json: accuracy should be"):
        write_report_of(runs, out)
    assert out.read_bytes() == first
    assert {file.name for file in tmp_path.iterdir()} == {"a", "b", "page.html"}
