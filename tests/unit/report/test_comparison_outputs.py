"""Speed-ups, costs and trials in all four outputs."""

import csv
import re

import pytest
from comparisons import Page, results

from horae.report.comparison import fields, write_results


def test_costs_and_speedups_are_in_all_four_outputs(tmp_path):
    tune = {"tune": {"training.lr": [0.1, 0.5]}, "tune_seeds": [100]}
    found = results(tmp_path, {"a": [0.5, 0.5, 0.5], "b": [0.6, 0.7, 0.8]}, ledger=True, tune=tune)
    write_results(tmp_path, found)
    html, md, tex = (tmp_path / f"results.{kind}" for kind in ("html", "md", "tex"))
    page = Page(html.read_text())
    # 500 of 4000 FLOPs; 6000 bytes down and 1000 up over 4 * 5 * 100
    costs = ("12.5 ± 0.0", "3.00 ± 0.00", "0.50 ± 0.00", "40 ± 0")
    assert f"name=b {' '.join(costs)}" in page.text
    assert f"| name=b | {' | '.join(costs)} |" in md.read_text()
    assert " & ".join(("{name=b}", *costs)).replace("±", r"$\pm$") in tex.read_text()
    found_b = found["arms"][1]["speedup"]["bytes_to_accuracy"]
    said = fields.speedup(found_b)
    assert re.fullmatch(r"1\.\d\d× \[\d\.\d\d, \d\.\d\d\]", said)
    assert said in page.text and said in md.read_text()
    assert said.replace("×", r"$\times$") in tex.read_text()
    assert "losses 40 4.0 kB 0.0 B 500.0 FLOP" in page.text
    rows = list(csv.DictReader((tmp_path / "results-arms.csv").read_text().splitlines()))
    (row,) = (row for row in rows if (row["arm"], row["field"]) == ("name=b", "bytes_to_accuracy"))
    assert float(row["speedup_low"]) == found_b["low"]
    assert (row["against"], row["speedup_n"], row["speedup_of"], row["target"]) == ("name=a", "3", "3", "0.5")
    (row,) = (row for row in rows if (row["arm"], row["field"]) == ("name=b", "downloads"))
    assert (row["mean"], row["speedup_mean"]) == ("3.0", "")
    runs = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert {(run["extra_compute"], run["training.lr"]) for run in runs} == {("0.125", "0.5")}
    for text in (page.text, md.read_text()):
        assert "Tuned before: 2 settings for every arm, on seed 100, which are not reported" in text
        assert "trial 0, seed 100 failed and could not be chosen: no luck." in text
    assert "name=b training.lr = 0.5 chosen 10.0 60 2.0 h 3.0 s" in page.text
    assert "| name=b | training.lr = 0.1 | failed | – | 60 | 2.0 h | 3.0 s |" in md.read_text()


@pytest.mark.parametrize(
    ("found", "said", "word"),
    [
        (None, "–", "–"),
        ({"n": 0, "of": 3, "mean": None, "low": None, "high": None, "verdict": None}, "–", "0 of 3 seeds"),
        (
            {"n": 2, "of": 3, "mean": 2.0, "low": 0.5, "high": 8.0, "verdict": None},
            "2.00× [0.50, 8.00]",
            "2 of 3 seeds",
        ),
        (
            {"n": 1, "of": 1, "mean": 2.0, "low": None, "high": None, "verdict": "not distinguishable"},
            "2.00×",
            "one seed",
        ),
        (
            {"n": 2, "of": 2, "mean": 2.0, "low": 1e-9, "high": 4e9, "verdict": "better"},
            "2.00× [1e-09, 4e+09]",
            "better",
        ),
        ({"n": 2, "of": 2, "mean": 1.0, "low": 1.0, "high": 1.0, "verdict": "identical"}, "1.00×", "identical"),
    ],
)
def test_speedups_in_words(found, said, word):
    assert (fields.speedup(found), fields.speedup_verdict(found)) == (said, word)
