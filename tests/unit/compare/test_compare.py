"""Whole comparisons whose runs are small scripts: what is run, what is left alone, what the results say."""

import csv
import json
import os
import signal
import sys

import pytest
from scripted_runs import VARY, Runs, arm, patched

from horae.compare import compare
from horae.compare.processes import Job
from horae.errors import ConfigError, RunError, Stopped
from horae.files import claimed


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """The page has its own tests, and takes a second."""
    monkeypatch.setattr("horae.report.comparison.page.comparison_page", lambda results, directory: "")


@pytest.fixture
def runs(monkeypatch):
    return patched(monkeypatch, Runs())


def test_every_arm_meets_every_seed_and_is_compared_by_pairs(runs, tmp_path):
    done = compare(vary=VARY, seeds=[0, 1, 2], out=tmp_path / "out", jobs=2)
    assert runs.begun == [(name, seed) for seed in (0, 1, 2) for name in ("single", "auxo")]
    assert done.failures == []
    single, auxo = arm(done.results, "single"), arm(done.results, "auxo")
    assert single["difference"] == {}
    assert single["fields"]["accuracy"] == pytest.approx({"n": 3, "mean": 0.6, "sd": 0.1, "low": 0.5, "high": 0.7})
    # 0.25, 0.2, 0.25: mean 0.2333, deviation 0.0289, half of the interval 4.3027 * 0.0289 / sqrt(3) = 0.0717
    found = auxo["difference"]["accuracy"]
    assert (found["n"], found["verdict"]) == (3, "better")
    assert (found["mean"], found["low"], found["high"]) == pytest.approx((0.23333, 0.16162, 0.30504), abs=1e-5)
    assert auxo["difference"]["cohorts"]["verdict"] == "identical"
    # the target is 0.5, the least of single's best; accuracy rises from 0.1 in a straight line over 60 s, 80
    # participations and 1000 bytes: single needs 60 * 0.4 / (0.4, 0.5, 0.6), auxo 60 * 0.4 / (0.65, 0.7, 0.85)
    assert done.results["target"] == {"accuracy": 0.5, "why": "the best that every seed of single reached"}
    ran = {(run["arm"], run["seed"]): run for run in done.results["runs"]}
    assert ran["single", 1]["time_to_accuracy_s"] == pytest.approx(48.0)
    assert ran["single", 1]["participations_to_accuracy"] == pytest.approx(64.0)
    assert ran["single", 1]["bytes_to_accuracy"] == pytest.approx(800.0)
    # speed-ups 0.65 / 0.4, 0.7 / 0.5, 0.85 / 0.6: logarithms 0.4855, 0.3365, 0.3483, mean 0.3901, deviation 0.0828,
    # half of the interval 4.3027 * 0.0828 / sqrt(3) = 0.2058: e^0.3901 = 1.477, [1.202, 1.815]
    for key in ("time_to_accuracy_s", "participations_to_accuracy", "bytes_to_accuracy"):
        found = auxo["speedup"][key]
        assert (found["n"], found["of"], found["verdict"]) == (3, 3, "better")
        assert (found["mean"], found["low"], found["high"]) == pytest.approx((1.477, 1.202, 1.815), abs=2e-3)
    assert single["speedup"] == {}
    costs = {key: auxo["fields"][key]["mean"] for key in ("extra_compute", "downloads", "uploads", "extra_flops")}
    # a model is 4 * 5 bytes: 600 / 200 models down a participation, 200 / 200 up
    assert costs == {"extra_compute": 0.25, "downloads": 3.0, "uploads": 1.0, "extra_flops": 250.0}
    assert auxo["fields"]["extra_participations"]["mean"] == 4
    assert auxo["ledger"]["losses"]["nbytes_down"] == 400
    assert single["fields"]["extra_compute"]["mean"] == 0
    assert done.results["notes"][0] == "Arms of one seed share clients, devices, hours and first models."
    assert "Budget of every run: participations = 6,000." in done.results["notes"]


def test_everything_it_leaves_lies_in_its_directory(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = compare(vary=VARY, seeds=[0, 1], jobs=1)
    assert done.directory.parts[0] == "comparisons"
    assert done.directory.name.startswith("digits-rotated-")
    files = {str(file.relative_to(done.directory)) for file in done.directory.rglob("*") if file.is_file()}
    assert {"comparison.json", "base.toml", "experiments/auxo/seed-1.toml", "logs/single-seed-0.txt"} <= files
    assert {f"results{kind}" for kind in (".json", ".csv", "-arms.csv", ".md", ".tex", ".html")} <= files
    assert json.loads((done.directory / "results.json").read_text()) == done.results
    text = (done.directory / "experiments" / "auxo" / "seed-1.toml").read_text()
    assert "seed = 1\n" in text
    assert 'baseline = "none"\n' in text
    rows = list(csv.DictReader((done.directory / "results.csv").read_text().splitlines()))
    assert [(row["clustering.name"], row["seed"], float(row["accuracy"])) for row in rows] == [
        ("single", "0", 0.5),
        ("single", "1", 0.6),
        ("auxo", "0", 0.75),
        ("auxo", "1", 0.8),
    ]


def test_a_run_that_fails_is_told_and_stops_no_other(monkeypatch, tmp_path):
    runs = patched(monkeypatch, Runs({("auxo", 1): "the clients ran away"}))
    done = compare(vary=VARY, seeds=[0, 1, 2], out=tmp_path / "out", jobs=1)
    assert len(runs.begun) == 6
    (failure,) = done.failures
    assert (failure["arm"], failure["seed"], failure["reason"]) == ("auxo", 1, "the clients ran away")
    assert failure["accuracy"] is None
    assert arm(done.results, "auxo")["finished"] == 2
    assert arm(done.results, "auxo")["difference"]["accuracy"]["n"] == 2  # seeds 0 and 2
    assert arm(done.results, "auxo")["difference"]["accuracy"]["mean"] == pytest.approx(0.25)
    assert "failed: auxo, seed 1: the clients ran away" in (done.directory / "results.md").read_text()


def test_resuming_runs_what_failed_again_and_nothing_else(monkeypatch, tmp_path):
    patched(monkeypatch, Runs({("auxo", 1): "no", ("single", 2): "no"}))
    compare(vary=VARY, seeds=[0, 1, 2], out=tmp_path / "out", jobs=1)
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "runs").rglob("*.*")}
    runs = patched(monkeypatch, Runs())
    done = compare(resume=tmp_path / "out", jobs=1)
    assert runs.begun == [("auxo", 1), ("single", 2)]
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    whole = compare(vary=VARY, seeds=[0, 1, 2], out=tmp_path / "whole", jobs=1)
    assert done.results == whole.results
    assert compare(resume=tmp_path / "out", against="auxo").results["against"] == "auxo"
    assert len(runs.begun) == 2 + 6  # the last one had nothing to run


def test_a_run_that_fails_after_its_numbers_counts_and_is_told(monkeypatch, tmp_path):
    class NoReport(Runs):
        def command(self, job, data_root):
            python, option, code, *args = super().command(job, data_root)
            return [python, option, code + ("sys.exit('no room')" if job.arm == "auxo" else ""), *args]

    patched(monkeypatch, NoReport())
    done = compare(vary=VARY, seeds=[0], out=tmp_path / "out")
    assert done.failures == []
    assert arm(done.results, "auxo")["fields"]["accuracy"]["mean"] == 0.75
    assert "auxo, seed 0 has its numbers, but then failed: no room." in done.results["notes"]


@pytest.mark.parametrize("text", ["", "3", "[1]", "null"])
def test_a_broken_summary_is_a_failure_with_a_remedy(text, runs, tmp_path):
    compare(vary=VARY, seeds=[0], out=tmp_path / "out")
    (tmp_path / "out" / "runs" / "auxo" / "seed-0" / "summary.json").write_text(text)
    (failure,) = compare(resume=tmp_path / "out").failures
    assert failure["arm"] == "auxo"
    assert failure["reason"].startswith("cannot read its summary.json: ")
    assert failure["reason"].endswith("; remove it to run this again")


def test_ctrl_c_leaves_something_to_go_on_with(runs, tmp_path, monkeypatch):
    stopping = Runs()
    code = "import os, signal, sys, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(20)"

    def command(job, data_root):
        return [sys.executable, "-c", code] if job.seed == 1 else stopping.command(job, data_root)

    monkeypatch.setattr(Job, "command", command)
    before = signal.getsignal(signal.SIGINT)
    place = tmp_path / "here and there"
    with pytest.raises(Stopped) as error:
        compare(vary=VARY, seeds=[0, 1], out=place, jobs=1)
    assert str(error.value) == f"stopped with 2 of 4 runs finished; go on with: horae compare --resume '{place}'"
    assert signal.getsignal(signal.SIGINT) is before
    assert not (place / "results.json").exists()
    patched(monkeypatch, runs)
    assert compare(resume=place).failures == []
    assert sorted(runs.begun) == [("auxo", 1), ("single", 1)]


def test_two_at_once_in_one_directory_are_refused(runs, tmp_path):
    compare(vary=VARY, seeds=[0], out=tmp_path / "out")
    with claimed(tmp_path / "out"), pytest.raises(RunError, match="is in use by another run"):
        compare(resume=tmp_path / "out")


def test_a_directory_that_holds_something_is_refused_and_untouched(runs, tmp_path):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(RunError, match="is not empty; choose another --out"):
        compare(vary=VARY, seeds=[0], out=tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes"]
    compare(vary=VARY, seeds=[0], out=tmp_path / "out")
    with pytest.raises(RunError, match="is not empty; go on with: horae compare --resume "):
        compare(vary=VARY, seeds=[0], out=tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vary": {}}, "--vary should say what differs between the arms"),
        ({"vary": {"clustering": "auxo"}}, "--vary clustering should be a list of values, got 'auxo'"),
        ({"seeds": []}, "--seeds should be one seed at least"),
        ({"target": 90}, "--target should be in (0, 1], a share of the samples, got 90; 90 % is 0.9"),
        ({"target": 0.0}, "--target should be in (0, 1]"),
        ({"jobs": 0}, "--jobs should be >= 1, got 0"),
        ({"vary": {"clustering": ["auxoo"]}}, "arm auxoo: clustering.name: there is no 'auxoo'"),
        ({"against": "oracle"}, "--against: there is no arm 'oracle'"),
        ({"resume": "there"}, "--out and --resume name two places"),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(options, message, runs, tmp_path):
    with pytest.raises(ConfigError) as error:
        compare(**{"vary": VARY, "seeds": [0], "out": tmp_path / "out", **options})
    assert str(error.value).startswith(message)
    assert list(tmp_path.iterdir()) == []
    assert runs.begun == []


def test_the_place_of_the_data_is_remembered(monkeypatch, tmp_path):
    places = []

    class Listening(Runs):
        def command(self, job, data_root):
            places.append(data_root)
            return super().command(job, data_root)

    patched(monkeypatch, Listening({("auxo", 0): "no"}))
    monkeypatch.chdir(tmp_path)
    compare(vary=VARY, seeds=[0], out="out", data_root="data")
    compare(resume="out")
    assert places == [tmp_path / "data"] * 3
    assert os.getcwd() == str(tmp_path)
