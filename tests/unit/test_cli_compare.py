"""`horae compare` as a command: streams, exit codes, and one comparison with real runs."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from filelock import FileLock, Timeout
from typer.testing import CliRunner

from horae.cli.compare import compare
from horae.compare import Comparison
from horae.errors import HoraeError
from horae.pids import at_work
from horae.report.comparison.fields import FIELDS

SMALL = ["--set", "budget.participations=120", "--set", "population.clients=40", "--set", "participants=10"]
LONG = ["--set", "budget.participations=2500", "--set", "population.clients=60", "--set", "participants=10"]
HORAE = [sys.executable, "-m", "horae", "compare"]
RUN = {"state": "finished", "reason": None}


def app():
    made = typer.Typer()
    made.command()(compare)
    return made


def refused(*args):
    result = CliRunner().invoke(app(), args)
    assert isinstance(result.exception, HoraeError), (result.output, result.exception)
    assert result.stdout == ""
    return str(result.exception)


def command(tmp_path, *args):
    """`horae compare ...` as a process of its own, in an empty folder, with nothing on a terminal."""
    return subprocess.run(
        [*HORAE, *args], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "COLUMNS": "80"},
    )  # fmt: skip


def wait_for(condition, most_s=60):
    """Wait until something is so."""
    end = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_two_arms_with_real_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        app(), [*SMALL, "--vary", "clustering=single,oracle", "--seeds", "3", "--out", "it", "--json"]
    )
    assert (done.exit_code, done.stderr) == (0, ""), done.exception
    results = json.loads(done.stdout)
    assert results == json.loads((tmp_path / "it" / "results.json").read_text())
    assert [(run["arm"], run["seed"], run["state"]) for run in results["runs"]] == [
        ("single", 3, "finished"),
        ("oracle", 3, "finished"),
    ]
    single, oracle = results["arms"]
    assert (single["fields"]["cohorts"]["mean"], oracle["fields"]["cohorts"]["mean"]) == (1, 4)
    gain = results["runs"][1]["accuracy"] - results["runs"][0]["accuracy"]
    assert oracle["difference"]["accuracy"]["mean"] == gain
    assert results["notes"][0] == "Arms of one seed share clients, devices, hours and first models."
    for run in results["runs"]:
        summary = json.loads((tmp_path / "it" / run["directory"] / "summary.json").read_text())
        assert "baseline" not in summary
        assert all(run[key] == summary[key] for key in ("accuracy", "seed", "bytes_up", "simulated_s"))
    assert "<svg" in (tmp_path / "it" / "results.html").read_text()


@pytest.mark.slow
def test_two_arms_on_two_seeds_interrupted_and_gone_on_with(tmp_path):
    what = ["--vary", "clustering=single,auxo", "--seeds", "0-1", "--jobs", "2", *LONG]
    assert command(tmp_path, *what, "--out", "whole").returncode == 0
    begun = subprocess.Popen(
        [*HORAE, *what, "--out", "parts"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    log = tmp_path / "parts" / "runs" / "auxo" / "seed-0" / "events.jsonl"
    wait_for(lambda: log.exists() and log.read_text().count('{"event":"round"') > 5)
    begun.send_signal(signal.SIGINT)
    out, said = begun.communicate(timeout=60)
    assert (begun.returncode, out) == (130, "")
    assert said.endswith("runs finished; go on with: horae compare --resume parts\n")
    assert not (tmp_path / "parts" / "results.json").exists()
    gone_on = command(tmp_path, "--resume", "parts")
    assert (gone_on.returncode, gone_on.stderr) == (0, "")
    assert "not distinguishable" in gone_on.stdout or "better" in gone_on.stdout
    for log in (tmp_path / "whole" / "runs").rglob("events.jsonl"):
        assert log.read_bytes() == (tmp_path / "parts" / log.relative_to(tmp_path / "whole")).read_bytes()


@pytest.mark.slow
def test_one_that_is_stopped_from_elsewhere_leaves_nobody_and_goes_on_to_the_same_table(tmp_path):
    what = ["--vary", "clustering=single,auxo", "--seeds", "0-1", *LONG, "--set", "budget.participations=1200"]
    whole = command(tmp_path, *what, "--out", "whole")
    begun = subprocess.Popen(
        [*HORAE, *what, "--jobs", "1", "--out", "parts"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    runs = tmp_path / "parts" / "runs"
    log = runs / "auxo" / "seed-0" / "events.jsonl"
    wait_for(lambda: log.exists() and log.read_text().count('{"event":"round"') > 5)
    assert len(at_work_below(tmp_path)) == 2  # the comparison and a run
    done = subprocess.run(
        [*HORAE[:-1], "stop", "parts"], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False
    )
    assert at_work_below(tmp_path) == []
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "go on with: horae compare --resume parts")
    assert [line.split(" (")[0] for line in done.stdout.splitlines()[:-1]] == [
        "stopped runs/auxo/seed-0", "stopped parts",
    ]  # fmt: skip
    _, said = begun.communicate(timeout=10)
    assert begun.returncode == 130
    assert said.endswith("stopped with 1 of 4 runs finished; go on with: horae compare --resume parts\n")
    kept = {file: file.stat().st_mtime_ns for file in (runs / "single" / "seed-0").rglob("*.*")}
    part = log.read_bytes()
    assert not (runs / "single" / "seed-1").exists()
    again = command(tmp_path, "--resume", "parts")
    assert (again.returncode, again.stdout) == (0, whole.stdout.replace("whole/", "parts/"))
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert log.read_bytes() == (tmp_path / "whole" / log.relative_to(tmp_path / "parts")).read_bytes() != part


def at_work_below(place):
    """The processes that anybody wrote down there, and those with that working directory that nobody did."""
    found = {one.pid for file in place.rglob(".process") if (one := at_work(file.parent)) is not None and one.alive}
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink() == place:
                found.add(int(link.parent.name))
    return sorted(found)


@pytest.mark.slow
def test_a_tuned_comparison_survives_kill_9(tmp_path):
    """Killed while tuning: the same results as if nothing had happened."""
    (tmp_path / "arms.toml").write_text(
        '[[arm]]\nname = "one"\nset = { clustering = "single" }\n'
        '[[arm]]\nname = "best case"\nset = { clustering = "oracle" }\ntune = { training.lr = [0.02, 0.05, 0.1] }\n'
    )
    what = ["--arms", "arms.toml", "--tune", "training.lr=0.1,0.5", "--tune-seeds", "100", "--seeds", "0", *SMALL]
    assert command(tmp_path, *what, "--out", "whole").returncode == 0
    parts = tmp_path / "parts"
    begun = subprocess.Popen(
        [*HORAE, *what, "--out", "parts"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: any(parts.glob("tuning/*/trial-1/seed-100/events.jsonl")), 240)
    begun.kill()
    begun.wait(60)
    wait_for(lambda: all(free(lock) for lock in parts.rglob(".lock")))  # its runs notice, and end
    assert not (parts / "tuning.json").exists()
    assert command(tmp_path, "--resume", "parts").returncode == 0
    whole, again = (json.loads((tmp_path / place / "results.json").read_text()) for place in ("whole", "parts"))
    for arm, other in zip(whole["arms"], again["arms"], strict=True):
        assert arm["tuning"]["chosen"] == other["tuning"]["chosen"]
        assert arm["speedup"] == other["speedup"]
        assert arm["fields"]["accuracy"] == other["fields"]["accuracy"]
    assert "best case 3" in "".join(whole["notes"])


def free(lock):
    """Whether nobody holds this lock."""
    try:
        with FileLock(lock, timeout=0):
            return True
    except Timeout:
        return False


def shown(monkeypatch, results, *args, width=80):
    """What the command prints about results that are there already."""
    monkeypatch.setattr("horae.compare.compare", lambda *_, **__: Comparison(results, Path("there")))
    return CliRunner().invoke(app(), ["--vary", "a=1", *args], env={"COLUMNS": str(width), "TERM": "dumb"})


def results_of(*names, failed=False):
    spread = {"n": 3, "mean": 0.9381, "sd": 0.0123, "low": 0.9, "high": 0.95}
    apart = {"n": 3, "mean": 0.175, "low": -0.154, "high": 0.196, "verdict": "not distinguishable"}
    faster = {"n": 2, "of": 3, "mean": 1.824, "low": 1.2, "high": 12.77, "verdict": None}
    arms = [
        {
            "name": name, "changes": {}, "finished": 3, "fields": dict.fromkeys(FIELDS, spread),
            "difference": dict.fromkeys(FIELDS, apart) if name != names[0] else {},
            "speedup": dict.fromkeys(FIELDS, faster) if name != names[0] else {},
        }
        for name in names
    ]  # fmt: skip
    runs = [{"arm": name, "seed": seed, **RUN} for name in names for seed in (0, 1, 2)]
    if failed:
        runs[-1] |= {"state": "failed", "reason": "no luck [bold]here"}
    table = {
        "name": "digits",
        "seeds": [0, 1, 2],
        "against": names[0],
        "target": {"accuracy": 0.9, "why": "as asked for"},
        "arms": arms,
        "runs": runs,
        "notes": ["A note."],
    }
    return table


def test_the_tables_fit_into_80_columns(monkeypatch):
    long = "auxo, population.degrees=[0, 90, 180, 270], participants=30"
    result = shown(monkeypatch, results_of("single", long))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("93.8 ± 1.2" in line for line in lines) == 10  # two arms, five such tables; no number is broken
    assert sum("1.82× [1.20, 12.77]  2 of 3" in line for line in lines) == 3
    assert "To the target, 90.0 % mean accuracy (as asked for); speed-ups are over single" in " ".join(lines)
    assert sum("+17.5 [−15.4, +19.6]" in line for line in lines) == 2
    folded = "".join("".join(line[:20] for line in lines).split())
    assert "auxo,population" in folded
    assert "A note." in lines
    assert lines[-1] == "report: there/results.html"


def test_a_failed_run_is_told_and_is_exit_code_1(monkeypatch):
    result = shown(monkeypatch, results_of("a", "b", failed=True))
    assert result.exit_code == 1
    assert "failed: b, seed 2: no luck [bold]here" in result.stdout
    as_json = shown(monkeypatch, results_of("a", "b", failed=True), "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["runs"][-1]["state"] == "failed"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "--vary should say what differs between the arms, got 'nothing'; try: horae compare --vary clustering=si"),
        (["--vary", "clustering=auxoo"], "arm auxoo: clustering.name: there is no 'auxoo'; did you mean 'auxo'?"),
        (["--vary", "clustering"], "--vary should look like family.field=value,value, got 'clustering'"),
        (["--vary", "model=mlp", "--seeds", "one"], "--seeds should look like 0,1,2 or 0-4, got 'one'"),
        (["--vary", "model=mlp", "--jobs", "0"], "--jobs should be >= 1, got 0"),
        (["--vary", "model=mlp", "--against", "mlpp"], "--against: there is no arm 'mlpp'; did you mean 'mlp'?"),
        (["--vary", "model=mlp", "--target", "90"], "--target should be in (0, 1], a share of the samples, got 90.0"),
        (["--vary", "model=mlp", "--tune", "training.lr"], "--tune should look like family.field=value,value, got"),
        (["--vary", "model=mlp", "--tune", "training.lr=1,2"], "--tune-seeds should be one seed at least, got []; nam"),
        (["--vary", "model=mlp", "--tune-seeds", "1"], "--tune should say what is tuned, got 'nothing'; e.g. --tune "),
        (["--arms", "none.toml"], "--arms: there is no file of arms 'none.toml'; check the path"),
        (["none.toml", "--vary", "model=mlp"], "there is no experiment file 'none.toml'"),
        (["--resume", "nowhere"], "there is no comparison in nowhere: it has no comparison.json; check the path"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(args, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = refused(*args)
    assert said.startswith(message)
    assert said.isprintable()
    assert list(tmp_path.iterdir()) == []
