"""Whole runs that are told: the same bits, stopped and resumed, told elsewhere later, refused early."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar

import pytest
from typer.testing import CliRunner

import horae
from horae.cli import app
from horae.errors import ConfigError, Stopped
from horae.experiment import load
from horae.trackers import Csv, telling

TINY = {
    "name": "tiny", "participants": 8, "baseline": "none", "budget": {"participations": 160},
    "population": {"name": "digits-rotated", "clients": 40}, "evaluation": {"every": 5},
}  # fmt: skip


@dataclass(frozen=True)
class Broken:
    """Fails at once, or when it is told."""

    at_once: bool = True

    def open(self, run):
        if self.at_once:
            raise PermissionError(13, "Permission denied")

    def tell(self, opened, points):
        raise ValueError("two\nlines")

    def close(self, opened, ended):
        raise AssertionError("it had failed")


@dataclass(frozen=True)
class Absent:
    """Wants a library that is nowhere."""

    needs: ClassVar[str] = "no_such_library"
    open = tell = close = print


@pytest.fixture(scope="module", autouse=True)
def no_page():
    """The page of a run takes longer to draw than these runs to train."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("horae.report.html.write_report", lambda directory: None)
        yield


@pytest.fixture(scope="module")
def plain(tmp_path_factory, no_page):
    out = tmp_path_factory.mktemp("plain") / "run"
    horae.run(TINY, out=out)
    return out


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(telling, "EVERY_S", 0.0)


def told(directory):
    """The lines of its table."""
    with (directory / "trackers.csv").open(newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def same(one, other):
    """True if the runs are the same, bit for bit; the wall clock aside."""
    summaries = [json.loads((place / "summary.json").read_text()) for place in (one, other)]
    for summary in summaries:
        summary.pop("train_wall_s"), summary.pop("run_wall_s")
    a, b = ((place / "events.jsonl").read_bytes() for place in (one, other))
    return a == b and summaries[0] == summaries[1]


def asked_after(n):
    count = iter(range(n))
    return lambda: next(count, None) is None


def test_the_same_bits_and_what_the_log_says(plain, tmp_path):
    horae.run({**TINY, "trackers": [{"name": "csv"}]}, out=tmp_path / "run")
    assert same(plain, tmp_path / "run")
    assert not (plain / "trackers.json").exists()
    found = told(tmp_path / "run")
    events = [json.loads(line) for line in (plain / "events.jsonl").read_text().splitlines()]
    scores = [event for event in events if event["event"] == "score"]
    accuracy = [(int(step), float(at), float(v)) for step, at, name, v in found if name == "accuracy"]
    assert accuracy == [(s["participations"], s["at_s"], s["accuracy"]) for s in scores]
    rounds = [event for event in events if event["event"] == "round"]
    sent = [float(v) for *_, name, v in found if name == "total/nbytes_up"]
    assert sent[-1] == sum(event["nbytes_up"] for event in rounds) and len(sent) == len(rounds)
    steps = [int(row[0]) for row in found]
    assert steps == sorted(steps)
    assert len(set(found)) == len(found)
    ledger = next(e for e in events if e["event"] == "end")["ledger"]
    assert found[-1][2:] == ("ledger/train/sparse_flops", str(float(ledger["train"]["sparse_flops"])))


def test_stopped_and_resumed_is_told_as_in_one_go(plain, tmp_path):
    table, out = {**TINY, "trackers": [{"name": "csv"}]}, tmp_path / "run"
    with pytest.raises(Stopped):
        horae.run(table, out=out, stop=asked_after(7))
    before = told(out)
    assert before
    horae.run(resume=out)
    assert same(plain, out)
    horae.run(table, out=tmp_path / "whole")
    assert told(out) == told(tmp_path / "whole")
    assert told(out)[: len(before)] == before


def test_killed_and_resumed_tells_nothing_twice(plain, tmp_path):
    out = tmp_path / "run"
    code = (
        "import horae, os, sys; from horae import arms, checkpoint\n"
        "checkpoint.SHARE = 1e-9  # one checkpoint, at the beginning\n"
        "from horae.trackers import telling; telling.EVERY_S = 0.0\n"
        "n = iter(range(9))\n"
        "horae.run(eval(sys.argv[1]), out=sys.argv[2], stop=lambda: next(n, None) is None and os.kill(os.getpid(), 9))"
    )
    table = repr({**TINY, "trackers": [{"name": "csv"}]})
    assert subprocess.run([sys.executable, "-c", code, table, str(out)], timeout=120).returncode == -9
    before = told(out)
    assert before[-1][0] != "0"
    horae.run(resume=out)
    assert same(plain, out)
    after = told(out)
    assert after[: len(before)] == before
    assert len(set(after)) == len(after)
    horae.run(eval(table), out=tmp_path / "whole")
    assert after == told(tmp_path / "whole")


def test_trackers_may_change_when_a_run_goes_on_and_after_it_ended(plain, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(Stopped):
        horae.run(TINY, out=out, stop=asked_after(7))
    horae.run(resume=out, changes={"trackers": [{"name": "csv"}]})
    assert same(plain, out)
    assert load(out / "experiment.toml").trackers == (Csv(),)
    whole = told(out)
    assert whole[0][:3] == ("0", "0.0", "accuracy")  # from the beginning
    horae.run(resume=out)
    assert told(out) == whole
    horae.run(resume=out, changes={"trackers": [{"name": "csv", "directory": str(tmp_path / "all"), "run": "late"}]})
    (file,) = (tmp_path / "all").iterdir()
    assert file.name.startswith("late-auxo-seed-0-")
    assert file.read_text() == (out / "trackers.csv").read_text()
    with pytest.raises(ConfigError, match="seed should be 0 as when"):
        horae.run(resume=out, changes={"trackers": [], "seed": 1})


def test_the_baseline_is_told_as_a_run_of_its_own(tmp_path):
    horae.run({**TINY, "baseline": "single"}, trackers=Csv(directory=str(tmp_path / "all")), out=tmp_path / "run")
    names = sorted(file.name for file in (tmp_path / "all").iterdir())
    assert [name.rpartition("-")[0] for name in names] == ["tiny-auxo-seed-0", "tiny-single-seed-0"]
    keys = [json.loads((d / "trackers.json").read_text())["key"] for d in (tmp_path / "run", tmp_path / "run/baseline")]
    assert [name.rpartition("-")[2] for name in names] == [f"{key}.csv" for key in keys]


def test_one_that_fails_is_one_line_and_the_run_goes_on(plain, tmp_path, capfd):
    trackers = [{"name": f"{__name__}:Broken", "at_once": at_once} for at_once in (True, False)]
    horae.run({**TINY, "trackers": [*trackers, {"name": "csv"}]}, out=tmp_path / "run")
    assert same(plain, tmp_path / "run")
    assert told(tmp_path / "run")
    said = capfd.readouterr().err.splitlines()
    assert said == [
        f"tracker {__name__}:Broken failed ({why}); the run goes on without it"
        for why in ("PermissionError: [Errno 13] Permission denied", "ValueError: two lines")
    ]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_command_says_it_too(tmp_path, options):
    table = load({**TINY, "trackers": [{"name": f"{__name__}:Broken"}]}).table()
    from horae.settings import dumps

    file = tmp_path / "tiny.toml"
    file.write_text(dumps(table))
    result = CliRunner().invoke(app, ["run", str(file), "--out", str(tmp_path / "run"), *options])
    assert result.exit_code == 0
    assert f"tracker {__name__}:Broken failed (PermissionError: [Errno 13] Permission denied)" in result.stderr


@pytest.mark.parametrize(
    ("trackers", "words"),
    [
        ([{"name": "mlflow"}], 'trackers: mlflow needs mlflow, which is not installed: pip install "horae[trackers]"'),
        ([{"name": f"{__name__}:Absent"}], f"trackers: {__name__}:Absent needs no_such_library, "
         "which is not installed: pip install no_such_library"),
        ([{"name": "tensorbord"}], "trackers.name: there is no 'tensorbord'; did you mean 'tensorboard'?"),
        ([{"name": "csv", "folder": "x"}], "trackers 'csv' has no 'folder'; known: directory, run"),
        ([{"name": "wandb", "project": "a/b"}], r"trackers.project should be a name without / \ # ? % :, got 'a/b'"),
        ([{"name": "mlflow", "project": " "}], "trackers.project should name a project, got ' '"),
        ([{"name": "csv"}, {"name": "csv"}], "trackers should differ from one another, got ['csv', 'csv']"),
        ({"name": "csv"}, "trackers should be a list of tables ([[trackers]]), got {'name': 'csv'}"),
        ([{}], "trackers.name should be a word, got None"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_line_before_any_work(tmp_path, monkeypatch, trackers, words):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ConfigError) as error:
        horae.run({**TINY, "trackers": trackers}, out=tmp_path / "run")
    assert str(error.value) == words
    assert not (tmp_path / "run").exists()


def test_an_estimate_tells_nobody(tmp_path):
    directory = str(tmp_path / "all")
    command = ["run", "--dry-run", "--set", f'trackers=[{{name="csv", directory="{directory}"}}]', "--set",
               "budget.participations=90", "--set", "baseline=none"]  # fmt: skip
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0
    assert "[[trackers]]" in result.stdout
    assert not os.path.exists(directory)
