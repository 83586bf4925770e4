"""A comparison as words, tables and page, over run directories written by hand."""

import csv
import doctest
import json
import re

import pytest
from comparisons import EVIL, Page, results

from horae.report.comparison import fields, tables, words, write_results
from horae.report.comparison.page import comparison_page


@pytest.mark.parametrize("module", [fields, tables])
def test_docstrings_tell_the_truth(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("key", "mean", "sd", "said"),
    [
        ("accuracy", 0.9461, 0.0123, "94.6 ± 1.2"),
        ("cohorts", 3.6667, 0.5774, "3.7 ± 0.6"),
        ("participations", 6003.4, 2.1, "6,003 ± 2"),
        ("adjusted_rand_index", -0.012, None, "−0.01"),
        ("simulated_s", 7199.0, 60.0, "120.0 ± 1.0 min"),
        ("simulated_s", 7200.0, 360.0, "2.0 ± 0.1 h"),
        ("bytes_up", 999.0, 0.0, "999.0 ± 0.0 B"),
        ("bytes_up", 31_240_000.0, 150_000.0, "31.2 ± 0.1 MB"),
        ("flops", 2.5e12, None, "2.5 TFLOP"),
    ],
)
def test_mean_and_deviation_share_a_unit(key, mean, sd, said):
    assert fields.spread(fields.FIELDS[key], {"mean": mean, "sd": sd}) == said


@pytest.mark.parametrize(
    ("key", "mean", "low", "high", "word", "said"),
    [
        ("accuracy", 0.175, 0.154, 0.196, "better", "+17.5 [+15.4, +19.6]"),
        ("accuracy", -0.0001, -0.001, 0.0008, "not distinguishable", "0.0 [−0.1, +0.1]"),
        ("accuracy", 0.2, None, None, "not distinguishable", "+20.0"),
        ("accuracy", 0.0, 0.0, 0.0, "identical", "0.0"),
        ("accuracy", 0.2, 0.19999, 0.20001, "better", "+20.0 on every seed"),
        ("simulated_s", -7200.0, -10800.0, -3600.0, "better", "−2.0 [−3.0, −1.0] h"),
        ("bytes_up", 1500.0, 1400.0, 1600.0, "worse", "+1.5 [+1.4, +1.6] kB"),
    ],
)
def test_differences_have_signs_and_one_unit(key, mean, low, high, word, said):
    found = {"n": 3, "mean": mean, "low": low, "high": high, "verdict": word}
    assert fields.difference(fields.FIELDS[key], found) == said


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        (
            {"a": [0.5, 0.6, 0.7], "b": [0.6, 0.71, 0.8], "c": [0.5, 0.6, 0.69]},
            "name=b: 70.3 ± 10.0 %, 10.3 points above name=a (95 %: +8.9 to +11.8, 3 seeds)",
        ),
        (
            {"a": [0.5, 0.6, 0.7], "b": [0.4, 0.49, 0.6]},
            "name=a is ahead: the next best, name=b, is 10.3 points below it (95 %: −11.8 to −8.9)",
        ),
        (
            {"a": [0.5, 0.6, 0.7], "b": [0.4, 0.7, 0.81]},
            # differences -10, 10 and 11: mean 3.67, deviation 11.85, half 4.3027 * 11.85 / sqrt(3) = 29.43
            "Nothing is distinguishably more accurate than name=a: name=b, the best of the others, is 3.7 points above "
            "it (95 %: −25.8 to +33.1)",
        ),
        ({"a": [0.5, 0.6], "b": [0.5, 0.6]}, "name=b is as accurate as name=a, seed for seed: 55.0 ± 7.1 %"),
        ({"a": [0.5], "b": [0.6]}, "name=b: 60.0 %, 10.0 points above name=a on one seed"),
        ({"a": [0.5], "b": [0.5]}, "name=b: 50.0 %, the same as name=a on one seed"),
        ({"a": [0.5, 0.6]}, "name=a: 55.0 ± 7.1 % over 2 seeds"),
        ({"a": [0.5, None], "b": [None, 0.6]}, "Nothing to compare with name=a: no seed was finished by both"),
        ({"a": [None], "b": [None]}, "No run has an accuracy to compare"),
    ],
)
def test_the_headline_says_which_way_it_went(accuracies, said, tmp_path):
    assert words.headline(results(tmp_path, accuracies)) == said


def test_csv_has_a_row_for_each_run(tmp_path):
    found = results(tmp_path, {"a,b": [0.5, None], "c": [0.6, 0.7]})
    rows = list(csv.DictReader(tables.csv_text(found).splitlines()))
    assert [(row["name"], row["seed"], row["state"], row["accuracy"]) for row in rows] == [
        ("a,b", "0", "finished", "0.5"),
        ("a,b", "1", "failed", ""),
        ("c", "0", "finished", "0.6"),
        ("c", "1", "finished", "0.7"),
    ]
    assert rows[1]["reason"].startswith("no luck: ")
    assert rows[2]["bytes_up"] == "1500000"
    assert rows[2]["updates_refused"] == ""


def test_markdown_is_a_table_and_what_to_know(tmp_path):
    text = tables.markdown(results(tmp_path, {"a|b": [0.5, None], "c": [0.6, 0.7]}, against="name=c"))
    head, rule, first, second, *rest = text.splitlines()
    assert head.count("|") == rule.count("|") == second.count("|") == 15
    assert first.startswith(
        '| name="a\\|b" | 1 of 2 | 50.0 | −10.0 | one seed | 30.0 | −10.0 | one seed | – | – | 2.0 | 3.0 h |'
    )
    assert second.startswith("| name=c | 2 | 65.0 ± 7.1 | – | – | 45.0 ± 7.1 |")
    assert "Differences are to name=c, percentages by points." in rest
    assert any(line.startswith("- Intervals: 95 %") for line in rest)
    assert any(line.startswith('- failed: name="a\\|b", seed 1: no luck: \\<script\\>') for line in rest)


def test_latex_is_escaped_and_balanced(tmp_path):
    text = tables.latex(results(tmp_path, {EVIL: [0.5, 0.6], "é_ю": [0.6, None]}))
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    assert lines[0].startswith(r"\begin{tabular}{lrrrlrrlrrrrrr}")
    assert [lines[i] for i in (1, 3, -2, -1)] == [r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}"]
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3  # accuracy, the target, costs
    rows = [line for line in lines if line.endswith(r" \\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [13] * 3 + [10] * 3 + [4] * 3
    assert rows[4].endswith(r"& -- & -- \\")
    # 0.5 is reached after 10,800 s, and by name=é_ю after 5,000 + 5,800 * 0.2 / 0.3 = 8,867 s: 1.218 times faster
    assert r"1.22$\times$" in rows[5]
    evil = r"\textless{}script\textgreater{}alert('x') \& \$x\textasciicircum{}2\$ 50\%\_"
    assert f"name={{''}}{evil}{{''}}" in rows[1]
    assert "name=é\\_?" in rows[2]
    assert r"55.0 $\pm$ 7.1" in rows[1]
    bare = re.sub(r"\\[a-z]+\{\}|\\[&%$#_{}]|\$\\(pm|times)\$|\$-\$", "", "".join(rows))
    assert not re.search(r"[%$#_^~<>|]", bare)
    assert text.isascii() or "é" in text


def test_the_page_shows_everything_and_stays_at_home(tmp_path):
    found = results(tmp_path, {"a": [0.5, 0.6, 0.7], "b": [0.6, 0.71, 0.8], EVIL: [0.4, None, 0.5]})
    write_results(tmp_path, found)
    source = (tmp_path / "results.html").read_text()
    page = Page(source)
    assert "name=b: 70.3 ± 10.0 %, 10.3 points above name=a" in page.text
    assert "□ name=b 3 70.3 ± 10.0 +10.3 [+8.9, +11.8] better" in page.text
    assert f'failed: name="{EVIL}", seed 1: no luck: {EVIL}' in page.text
    assert "horae compare base.toml --vary" in page.text
    assert page.attributes.count(("role", "img")) == 12  # three charts and three of speed-ups, each for two widths
    # a needs 10,800 s on the first seed for 0.5; on the others it is there earlier, between the last two scores
    assert "To the target, 50.0 % mean accuracy (the best that every seed of name=a reached)" in page.text
    assert f'name="{EVIL}" 1 of 2' in page.text
    assert "1 of 2 seeds" in page.text
    assert "What the methods cost" not in page.text  # these logs have no ledger
    assert comparison_page(found, tmp_path) == source
    assert json.loads((tmp_path / "results.json").read_text()) == found


def test_a_page_of_failures_alone_has_no_charts(tmp_path):
    page = Page(comparison_page(results(tmp_path, {"a": [None], "b": [None]}), tmp_path))
    assert "No run has an accuracy to compare" in page.text
    assert ("role", "img") not in page.attributes


def test_of_many_arms_the_reference_and_the_best_are_drawn(tmp_path):
    arms = {f"arm{i}": [0.2 + 0.05 * i, 0.21 + 0.05 * i] for i in range(10)}
    page = Page(comparison_page(results(tmp_path, arms), tmp_path))
    assert "Not drawn: the 3 arms with the lowest accuracy." in page.text
    assert "○ name=arm0" in page.text  # the reference is last by accuracy
    assert "✖ name=arm9" in page.text
    assert " name=arm3 2 35.5 ± 0.7" in page.text
    assert "✚ name=arm3" not in page.text


def test_one_arm_has_no_differences_to_draw(tmp_path):
    page = Page(comparison_page(results(tmp_path, {"a": [0.5, 0.6]}), tmp_path))
    assert page.attributes.count(("role", "img")) == 2
    assert "Seed by seed" not in page.text
