"""Whole comparisons whose runs are small scripts: what is run, what is left alone, what the results say."""

import csv
import json
import os
import signal
import sys

import pytest

from horae.compare import compare
from horae.compare.processes import Job
from horae.errors import ConfigError, RunError, Stopped
from horae.files import claimed

VARY = {"clustering": ["single", "auxo"]}
ACCURACY = {("single", 0): 0.5, ("single", 1): 0.6, ("single", 2): 0.7}
ACCURACY |= {("auxo", 0): 0.75, ("auxo", 1): 0.8, ("auxo", 2): 0.95}  # 0.25, 0.2, 0.25 above
RUN = """
import json, pathlib, sys
place, numbers, opening = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
place.mkdir(parents=True)
(place / "experiment.toml").write_text("")
events = [{"event": "run", **opening}, {"event": "score", "at_s": 0.0, "accuracy": 0.1}]
events += [{"event": "score", "at_s": 60.0, "accuracy": numbers["accuracy"]}]
events += [{"event": "end", "reason": opening["reason"]}]
(place / "events.jsonl").write_text("".join(json.dumps(e, separators=(",", ":")) + "\\n" for e in events))
(place / "summary.json").write_text(json.dumps(numbers))
"""


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """The page has its own tests, and takes a second."""
    monkeypatch.setattr("horae.report.comparison.page.comparison_page", lambda results, directory: "")


class Runs:
    """Stands for the runs: scripts that leave these numbers. failing: those that say why not."""

    def __init__(self, failing=(), world=lambda arm, seed: {"clients": f"c{seed}", "model": f"m{seed}"}, **numbers):
        self.failing, self.begun, self.world, self.numbers = dict(failing), [], world, numbers
        self.reason = "budget spent"

    def command(self, job, data_root):
        run = (job.arm, job.seed)
        self.begun.append(run)
        if run in self.failing:
            return [sys.executable, "-c", f"import sys; sys.exit({self.failing[run]!r})"]
        accuracy = ACCURACY[run]
        numbers = {"accuracy": accuracy, "accuracy_worst10": accuracy / 2, "cohorts": 1, "simulated_s": 60.0}
        numbers |= {"time_to_accuracy_s": None, "horae_version": "1", **self.numbers}
        opening = {"world": self.world(*run), "reason": self.reason}
        return [sys.executable, "-c", RUN, str(job.directory), json.dumps(numbers), json.dumps(opening)]


@pytest.fixture
def runs(monkeypatch):
    return patched(monkeypatch, Runs())


def patched(monkeypatch, stand_in):
    monkeypatch.setattr(Job, "command", lambda job, data_root: stand_in.command(job, data_root))
    return stand_in


def arm(results, name):
    return next(arm for arm in results["arms"] if arm["name"] == name)


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
    assert auxo["difference"]["time_to_accuracy_s"] is None
    assert done.results["notes"][0] == "Arms of one seed share clients, devices, hours and first models."
    assert "Budget of every run: participations = 6,000." in done.results["notes"]


def test_everything_it_leaves_lies_in_its_directory(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = compare(vary=VARY, seeds=[0, 1], jobs=1)
    assert done.directory.parts[0] == "comparisons"
    assert done.directory.name.startswith("digits-rotated-")
    files = {str(file.relative_to(done.directory)) for file in done.directory.rglob("*") if file.is_file()}
    assert {"comparison.json", "base.toml", "experiments/auxo/seed-1.toml", "logs/single-seed-0.txt"} <= files
    assert {f"results.{kind}" for kind in ("json", "csv", "md", "tex", "html")} <= files
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


def notes(monkeypatch, tmp_path, stand_in, **options):
    patched(monkeypatch, stand_in)
    done = compare(**{"vary": VARY, "seeds": [0, 1], "out": tmp_path / "out", **options})
    return done.results["notes"], done.results


def test_arms_that_share_no_clients_are_called_so(monkeypatch, tmp_path):
    stand_in = Runs(world=lambda arm, seed: {"clients": f"{arm}{seed}", "model": "m"})
    found, _ = notes(monkeypatch, tmp_path, stand_in)
    assert found[0] == "Clients differ between the arms: paired by seed only."


def test_arms_with_another_first_model_are_called_so(monkeypatch, tmp_path):
    found, _ = notes(monkeypatch, tmp_path, Runs(world=lambda arm, seed: {"clients": "c", "model": arm}))
    assert found[0] == "First models differ between the arms; those of one seed share clients, devices and hours."


def test_logs_without_fingerprints_are_compared_by_their_facts(monkeypatch, tmp_path):
    found, _ = notes(monkeypatch, tmp_path, Runs(world=lambda arm, seed: {}))
    assert found[0] == "Arms of one seed share clients, devices, hours and first models."


def test_what_is_out_of_the_ordinary_is_told(monkeypatch, tmp_path):
    stand_in = Runs(updates_refused=3)
    stand_in.reason = "nobody came for 7 days"
    found, _ = notes(monkeypatch, tmp_path, stand_in, seeds=[0])
    assert "One seed: no intervals, no verdicts." in found
    assert "single, seed 0: nobody came for 7 days." in found
    assert "auxo, seed 0: 3 updates were not finite and were refused." in found


def test_a_varied_budget_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(ACCURACY, ("participations=60", 0), 0.5)
    monkeypatch.setitem(ACCURACY, ("participations=90", 0), 0.6)
    found, _ = notes(monkeypatch, tmp_path, Runs(), vary={"budget.participations": [60, 90]}, seeds=[0])
    assert "The budget is varied: the arms did not have the same means." in found


def test_seeds_that_never_reached_the_target_take_the_verdict_away(monkeypatch, tmp_path):
    class Some(Runs):
        def command(self, job, data_root):
            reached = None if (job.arm, job.seed) == ("single", 2) else 50.0 - (job.arm == "auxo") * (20 + job.seed)
            self.numbers = {"time_to_accuracy_s": reached}
            return super().command(job, data_root)

    found, results = notes(monkeypatch, tmp_path, Some(), seeds=[0, 1, 2])
    times = arm(results, "auxo")["difference"]["time_to_accuracy_s"]
    assert (times["n"], times["mean"], times["verdict"]) == (2, -20.5, None)
    assert arm(results, "single")["fields"]["time_to_accuracy_s"]["n"] == 2
    assert any(
        words.startswith("The target accuracy was reached by single in 2 of 3; auxo in 3 of 3") for words in found
    )


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
