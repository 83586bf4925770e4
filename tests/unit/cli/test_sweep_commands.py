"""`horae sweep`, `status` and `stop` as commands: tables, JSON, exit codes; and real runs, small ones."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import horae
from horae.cli import app
from horae.errors import HoraeError
from horae.pids import at_work
from horae.sweep import state as states
from horae.sweep.file import Where
from horae.sweep.plan import Plan, Run

SMALL = {"budget.participations": 60, "population.clients": 40, "participants": 10, "baseline": "none"}
SET = "set = { " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in SMALL.items()) + " }\n"
HORAE = [sys.executable, "-m", "horae"]


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def called(*words):
    return CliRunner().invoke(app, words, env={"COLUMNS": "80", "TERM": "dumb"})


def refused(*words):
    result = called(*words)
    assert isinstance(result.exception, HoraeError), (result.output, result.exception)
    return str(result.exception)


def wait_for(condition, most_s=120):
    end = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def made(name="heads-20260101-101500"):
    """A sweep that failed, as its directory says."""
    place = Path("sweeps", name)
    place.mkdir(parents=True)
    Plan("heads", name, [Run("one", "one", 0), Run("two", "two", 0)], Where(["cpu"])).write(place)
    states.tell(place, "sweep")
    states.tell(place, "start", run="one/seed-0", slot="cpu", process=None)
    states.tell(place, "end", run="one/seed-0", state="failed", code=2, why="no [bold]luck[/]")
    return place


@pytest.mark.slow
def test_two_real_runs_and_their_table(tmp_path):
    Path("heads.toml").write_text(f'[[run]]\nname = "one"\n{SET}[vary]\nclustering = ["single", "oracle"]\n')
    done = called("sweep", "heads.toml", "--jobs", "2", "--out", "out", "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done.exception
    table = json.loads(done.stdout)
    assert [(run["run"], run["state"], run["slot"]) for run in table["runs"]] == [
        ("one,single/seed-0", "done", "cpu"),
        ("one,oracle/seed-0", "done", "cpu"),
    ]
    for run in table["runs"]:
        summary = json.loads(Path(run["directory"], "summary.json").read_text())
        assert (run["rounds"], run["accuracy"]) == (summary["rounds"], summary["accuracy"])
    changes = {**SMALL, "clustering.name": "oracle", "training.device": "cpu"}
    horae.run("demo", changes=changes, out="alone")  # a slot changes no bit
    again = Path("out/runs/one,oracle/seed-0/events.jsonl")
    assert again.read_bytes() == Path("alone/events.jsonl").read_bytes()
    shown = called("status", "out")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0].split() == ["run", "state", "slot", "rounds", "accuracy", "since"]
    assert lines[1].split()[:3] == ["one,single/seed-0", "done", "cpu"]
    assert lines[-1] == "out: 2 done"
    assert json.loads(called("status", "out", "--json").stdout) == table


def test_a_run_by_hand_is_stopped_and_gone_on_with():
    words = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    words += ["--set", "budget.participations=50000"]
    with subprocess.Popen([*HORAE, "run", *words, "--out", "runs/x"], stderr=subprocess.PIPE, text=True) as run:
        wait_for(lambda: Path("runs/x/events.jsonl").exists() and '"round"' in Path("runs/x/events.jsonl").read_text())
        assert at_work(Path("runs/x")).pid == run.pid
        assert json.loads(called("status", "runs/x", "--json").stdout)["runs"][0]["state"] == "running"
        done = called("stop", "x", "--wait", "60")
        assert (done.exit_code, done.stdout) == (
            0, f"stopped runs/x (process {run.pid})\ngo on with: horae run --resume runs/x\n",
        )  # fmt: skip
        assert run.wait(5) == 130
        assert "go on with: horae run --resume runs/x" in run.stderr.read()
    assert any(Path("runs/x/checkpoints").iterdir())
    assert at_work(Path("runs/x")) is None
    assert called("stop", "runs/x").stdout == "nothing of that is running\n"
    shown = called("status", "x")
    assert "x    stopped" in shown.stdout


def test_what_failed_is_told_with_the_reason_and_is_exit_code_1(monkeypatch):
    from horae.sweep import rows

    place = made()
    monkeypatch.setattr("horae.sweep.carrying.sweep", lambda *_, **__: rows.standing(place))
    result = called("sweep", "heads.toml")
    assert result.exit_code == 1
    assert "one/seed-0: no [bold]luck[/]" in result.stdout.splitlines()
    assert result.stdout.splitlines()[-1] == f"{place}: 1 waiting, 1 failed"
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert json.loads(called("sweep", "heads.toml", "--json").stdout)["runs"][0]["why"] == "no [bold]luck[/]"


def test_status_without_a_name_is_of_the_last_sweep():
    made("heads-20260101-101500")
    made("heads-20260102-101500")
    result = called("status")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-2:] == [
        "sweeps/heads-20260102-101500: 1 waiting, 1 failed",
        "1 more: sweeps/heads-20260101-101500",
    ]
    one = called("status", "sweeps/heads-20260102-101500")
    assert "1 more" not in one.stdout
    assert [run["run"] for run in json.loads(called("status", "two/seed-0", "--json").stdout)["runs"]] == ["two/seed-0"]


def test_status_and_stop_do_without_torch():
    made()
    code = "import sys; from horae.cli import main\ntry: main()\nfinally: assert 'torch' not in sys.modules"
    for words in (["status"], ["stop", "all"], ["stop", "heads"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_several_of_one_name_that_run_need_a_time(monkeypatch):
    from horae.pids import recorded

    first, second = made("heads-20260101-101500"), made("heads-20260102-101500")
    with recorded(first), recorded(second):
        assert refused("stop", "heads") == (
            f"heads names 2 that are running: {second}, {first}; add the time, or name one"
        )
        result = called("stop", "heads", "20260101-101500", "--json")  # this process does not listen: it is left
        assert result.exit_code == 1
        (ending,) = json.loads(result.stdout)["ended"]
        assert (ending["what"], ending["how"], ending["pid"]) == (str(first), "left", os.getpid())
    assert called("stop", "heads").stdout == "nothing of that is running\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep"], "sweep should name a file, got 'nothing'; see docs/sweep.md, or go on by --resume DIR"),
        (["sweep", "none.toml"], "there is no sweep file 'none.toml'; check the path"),
        (["status"], "there is no sweep in sweeps/; name one, or begin one: horae sweep SWEEP.toml"),
        (["status", "none"], "there is no none in sweeps/, comparisons/ or runs/, and no such directory; name its dir"),
        (["stop", "none"], "there is no none in sweeps/, comparisons/ or runs/, and no such directory; name its dir"),
        (["stop", "all", "--wait", "-1"], "--wait should be between 0 and 86,400 seconds, got -1.0"),
    ],
)
def test_mistakes_are_one_line(words, message):
    assert message in refused(*words)
