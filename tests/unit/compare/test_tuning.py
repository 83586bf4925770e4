"""Fair tuning: equally many trials on seeds that are not reported, the best is kept, and everything is told."""

import doctest
import json
import signal
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.compare import compare, tuning
from horae.compare import plan as plans
from horae.compare.arms import Arm, Named
from horae.compare.processes import Job
from horae.compare.tuning import Tuning, best
from horae.compare.vary import parse_vary
from horae.errors import ConfigError, RunError, Stopped

RUN = """
import json, pathlib, sys
place, numbers = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
place.mkdir(parents=True)
(place / "experiment.toml").write_text("")
(place / "summary.json").write_text(json.dumps(numbers))
"""
VARY = {"clustering": ["single", "auxo"]}
TUNE = {"tune": {"training.lr": [0.1, 0.5, 1.0]}, "tune_seeds": [100, 101]}


def test_docstrings_tell_the_truth():
    assert doctest.testmod(tuning).failed == 0


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """The page has its own tests, and takes a second."""
    monkeypatch.setattr("horae.report.comparison.page.comparison_page", lambda results, directory: "")


class Runs:
    """Stands for the runs: accuracy is what the learning rate of its experiment makes of it. failing: (arm, seed)."""

    def __init__(self, monkeypatch, failing=()):
        self.begun, self.failing = [], set(failing)
        monkeypatch.setattr(Job, "command", lambda job, data_root: self.command(job))

    def command(self, job):
        self.begun.append((job.arm, job.seed))
        if (job.arm, job.seed) in self.failing:
            return [sys.executable, "-c", "import sys; sys.exit('no luck')"]
        text = job.experiment.read_text()
        lr = float(text.split("[training]")[1].split("\nlr = ")[1].split("\n")[0])
        wanted = 0.5 if "single" in job.arm else 1.0
        numbers = {"accuracy": 0.9 - abs(lr - wanted), "participations": 10, "train_wall_s": 2.0, "bytes_up": 5}
        return [sys.executable, "-c", RUN, str(job.directory), json.dumps(numbers)]


def chosen(done):
    return {arm["name"]: arm["tuning"]["chosen"] for arm in done.results["arms"]}


def test_every_arm_is_tuned_before_its_reported_seeds(monkeypatch, tmp_path):
    runs = Runs(monkeypatch)
    done = compare(vary=VARY, seeds=[0], out=tmp_path / "out", jobs=2, **TUNE)
    trials = [(f"{arm}, trial-{i}", seed) for seed in (100, 101) for arm in ("single", "auxo") for i in range(3)]
    assert runs.begun == [*trials, ("single", 0), ("auxo", 0)]
    assert chosen(done) == {"single": {"training.lr": 0.5}, "auxo": {"training.lr": 1.0}}
    text = (tmp_path / "out" / "experiments" / "auxo" / "seed-0.toml").read_text()
    assert "lr = 1.0\n" in text
    assert [run["accuracy"] for run in done.results["runs"]] == [0.9, 0.9]
    single = done.results["arms"][0]["tuning"]
    assert [trial["accuracy"] for trial in single["trials"]] == pytest.approx([0.5, 0.9, 0.4])
    assert single["trials"][0]["by_seed"] == {"100": 0.5, "101": 0.5}
    assert (single["cost"]["participations"], single["cost"]["bytes_up"]) == (60, 30)  # three settings, two seeds
    assert done.results["tuning"] == {**Tuning({"training.lr": [0.1, 0.5, 1.0]}, [100, 101]).__dict__, "trials": 3}
    notes = "\n".join(done.results["notes"])
    assert "Tuned before: every arm tried 3 settings on seeds 100, 101, which are not reported" in notes
    assert "single chose training.lr = 0.5; its trials cost 60 participations, 12 s of real time." in notes
    assert "training.lr = 0.5 | chosen | 90.0" in (tmp_path / "out" / "results.md").read_text()
    assert "--tune training.lr=0.1,0.5,1.0 --tune-seeds 100,101" in done.results["command"]


def test_a_finished_tuning_is_not_done_again(monkeypatch, tmp_path):
    Runs(monkeypatch, {("auxo", 0)})
    first = compare(vary=VARY, seeds=[0], out=tmp_path / "out", **TUNE)
    assert len(first.failures) == 1
    runs = Runs(monkeypatch)
    done = compare(resume=tmp_path / "out", **TUNE)
    assert runs.begun == [("auxo", 0)]
    assert done.failures == []
    whole = compare(vary=VARY, seeds=[0], out=tmp_path / "whole", **TUNE)
    assert whole.results == done.results


def test_a_setting_that_fails_cannot_be_chosen_and_is_told(monkeypatch, tmp_path):
    runs = Runs(monkeypatch, {("single, trial-1", 101)})
    done = compare(vary=VARY, seeds=[0], out=tmp_path / "out", **TUNE)
    assert chosen(done)["single"] == {"training.lr": 0.1}
    assert "single, trial 1, seed 101 failed and could not be chosen: no luck." in done.results["notes"]
    runs = Runs(monkeypatch)  # what was chosen stays chosen
    again = compare(resume=tmp_path / "out")
    assert (runs.begun, chosen(again)) == ([], chosen(done))


def test_an_arm_of_which_every_setting_fails_has_no_runs_until_one_is_found(monkeypatch, tmp_path):
    runs = Runs(monkeypatch, {(f"single, trial-{i}", 100) for i in range(3)})
    done = compare(vary=VARY, seeds=[0], out=tmp_path / "out", **TUNE)
    (failure,) = done.failures
    assert failure["reason"] == "no trial ended on every tuning seed: no luck"
    assert ("single", 0) not in runs.begun
    runs = Runs(monkeypatch)
    again = compare(resume=tmp_path / "out")
    assert runs.begun == [*((f"single, trial-{i}", 100) for i in range(3)), ("single", 0)]
    assert again.failures == []
    assert chosen(again) == {"single": {"training.lr": 0.5}, "auxo": {"training.lr": 1.0}}


def test_ctrl_c_while_tuning_leaves_something_to_go_on_with(monkeypatch, tmp_path):
    runs = Runs(monkeypatch)
    code = "import os, signal, sys, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(20)"

    def command(job, data_root):
        return [sys.executable, "-c", code] if job.seed == 101 else runs.command(job)

    monkeypatch.setattr(Job, "command", command)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Stopped, match=r"^stopped with 6 of 14 runs finished; go on with: horae compare --resume "):
        compare(vary=VARY, seeds=[0], out=tmp_path / "out", jobs=1, **TUNE)
    assert signal.getsignal(signal.SIGINT) is before
    assert not (tmp_path / "out" / "tuning.json").exists()
    runs = Runs(monkeypatch)
    done = compare(resume=tmp_path / "out")
    assert len(runs.begun) == 8
    assert chosen(done) == {"single": {"training.lr": 0.5}, "auxo": {"training.lr": 1.0}}


@pytest.mark.parametrize("text", ["", "3", "{}x", '{"single": 3}', '{"single": {"trials": [], "chosen": {}}}'])
def test_a_broken_choice_is_refused_in_one_line(text, monkeypatch, tmp_path):
    Runs(monkeypatch)
    compare(vary=VARY, seeds=[0], out=tmp_path / "out", **TUNE)
    (tmp_path / "out" / "tuning.json").write_text(text)
    with pytest.raises(RunError, match=r"^cannot read .*tuning.json: .*; was it changed by hand\?$"):
        compare(resume=tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tune_seeds": []}, "--tune-seeds should be one seed at least, got []; name seeds that are not reported"),
        ({"tune_seeds": [3, 3]}, "--tune-seeds should differ, got '3 twice'"),
        ({"tune_seeds": [1, 0]}, "--tune-seeds should be other seeds than the reported ones, got [0]; name seeds"),
        ({"tune_budget": 1}, "--tune-budget should be >= 2, got 1"),
        ({"tune": {}}, "--tune should say what is tuned, got 'nothing'"),
        ({"tune": {"training.lr": []}}, "--tune training.lr should be a list of values, got []"),
        ({"tune": {"training.lr": [1]}}, "arm single: tune should make 2 to 10,000 settings, got 1"),
        ({"tune": {"seed": [1, 2]}}, "--tune should name another field, got 'seed'"),
        ({"tune": {"budget.bytes": [1, 2]}}, "arm single: tune should name fields of a method, not its ground"),
        ({"tune": {"clustering.name": ["a", "b"]}}, "arm single: tune should name fields that the arm does not set"),
        ({"tune": {"clustering.pull": [0.1, 0.2]}}, "arm single: clustering 'single' has no 'pull'"),
        ({"tune": {"training.lr": [0.1, -1.0]}}, "arm single: training.lr should be"),
        ({"changes": {"training.lr": 0.1}}, "--set training.lr should be another field than those tuned"),
        ({"arms": [{"name": "a", "tune": {"training.lr": [1, 2]}}, {"name": "b"}], "tune": {}, "vary": {}},
         "arm b: tune should have a grid, as other arms have, got {}; add it to the arm, or say --tune"),
    ],
)  # fmt: skip
def test_unfair_tuning_is_refused_before_anything_is_written(options, message, monkeypatch, tmp_path):
    runs = Runs(monkeypatch)
    with pytest.raises(ConfigError) as error:
        compare(**{"vary": VARY, "seeds": [0], "out": tmp_path / "out", **TUNE, **options})
    assert str(error.value).startswith(message)
    assert (runs.begun, list(tmp_path.iterdir())) == ([], [])


def test_going_on_with_other_trials_is_refused(monkeypatch, tmp_path):
    Runs(monkeypatch)
    compare(vary=VARY, seeds=[0], out=tmp_path / "out", **TUNE)
    with pytest.raises(
        ConfigError, match=r"^--tune seeds should be \[100, 101\] as when this comparison began, got \[7"
    ):
        compare(resume=tmp_path / "out", tune_seeds=[7, 8])
    with pytest.raises(ConfigError, match=r"^--tune budget should be 0 as when this comparison began, got 2"):
        compare(resume=tmp_path / "out", tune_budget=2)


def grids(budget, **sizes):
    arms = [Arm(name, name, {}, {"x": list(range(n))} if n else {}) for name, n in sizes.items()]
    return Tuning({"y": [1, 2], "z": [1, 2]}, [100], budget).trials(arms)


def test_every_arm_tries_as_many_as_the_smallest_grid_has():
    found = grids(0, a=3, b=9, c=0)
    assert {name: len(trials) for name, trials in found.items()} == {"a": 3, "b": 3, "c": 3}
    assert found["a"] == [{"x": 0}, {"x": 1}, {"x": 2}]
    assert set(map(str, found["c"])) < {str({"y": y, "z": z}) for y in (1, 2) for z in (1, 2)}
    assert {len(trials) for trials in grids(2, a=3, b=9, c=0).values()} == {2}
    assert {len(trials) for trials in grids(50, a=3, b=9).values()} == {3}


@given(st.integers(2, 30), st.integers(2, 40), st.integers(0, 10**6))
def test_a_cut_is_in_order_without_repetition_and_always_the_same(n, size, seed):
    arm = Arm("a", "a", {}, {"x": list(range(size))})
    tries = [Tuning({}, [seed], n).trials([arm])["a"] for _ in range(2)]
    values = [settings["x"] for settings in tries[0]]
    assert tries[0] == tries[1]
    assert values == sorted(set(values))
    assert len(values) == min(n, size)


@pytest.mark.parametrize(
    ("accuracies", "number"), [([0.1, 0.3, 0.2], 1), ([0.3, 0.3], 0), ([None, 0.1], 1), ([None], None), ([], None)]
)
def test_the_best_is_the_first_of_the_highest(accuracies, number):
    assert best([{"accuracy": value} for value in accuracies]) == number


def test_cuts_are_said(monkeypatch, tmp_path):
    Runs(monkeypatch)
    arms = [{"name": "single", "tune": {"training.lr": [0.5, 0.1]}}, {"name": "b", "tune": {"training.lr": [1, 2, 3]}}]
    done = compare(arms=arms, seeds=[0], out=tmp_path / "out", tune_seeds=[9], tune_budget=5)
    (said,) = (note for note in done.results["notes"] if note.startswith("Tuned before"))
    assert "every arm tried 2 settings on seed 9," in said
    assert "5 were asked for; the smallest grid has 2." in said
    assert said.endswith("Larger grids (b 3) were cut to 2 by lot, with the first of these seeds.")


def test_too_many_trials_are_refused():
    named = [Named(str(i), {}, {}) for i in range(60)]
    wish = plans.Wish(tune=parse_vary([f"x={','.join(map(str, range(200)))}"], "--tune"), tune_seeds=[100])
    with pytest.raises(ConfigError, match="--tune should make 10,000 runs at most, got 12000; lower --tune-budget"):
        plans.make(None, {}, {}, [0], named, wish)
