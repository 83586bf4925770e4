"""Real runs, here and over an ssh that is a script, their sweep killed on its way: the same bits as if left alone."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pretended_runs import fake_ssh
from watched_sweeps import wait_for

import horae
from horae.pids import at_work
from horae.sweep import rows

SMALL = {"budget.participations": 1500, "population.clients": 60, "participants": 10, "baseline": "none"}
HORAE = [sys.executable, "-m", "horae"]


def rounds(log):
    return log.read_text().count('{"event":"round"') if log.exists() else 0


@pytest.mark.slow
def test_a_sweep_over_two_machines_survives_kill_9_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = fake_ssh(tmp_path, monkeypatch)
    there = tmp_path / "the other one's"
    there.mkdir()
    fields = ", ".join(f"{key} = {json.dumps(value)}" for key, value in SMALL.items())
    command = json.dumps(shlex.join(HORAE))
    Path("heads.toml").write_text(
        f'slots = ["cpu", "lab:cpu"]\nseeds = [0, 1]\n[[run]]\nname = "one"\nset = {{ {fields} }}\n'
        f'[hosts.lab]\nssh = "lab"\ndirectory = {json.dumps(str(there))}\nhorae = {command}\n'
    )
    with subprocess.Popen([*HORAE, "sweep", "heads.toml", "--out", "out"], stderr=subprocess.PIPE) as begun:
        here = Path("out/runs/one/seed-0/events.jsonl")
        far = lambda: next(there.rglob("events.jsonl"), here.with_name("none"))  # noqa: E731
        wait_for(lambda: rounds(here) > 5 and rounds(far()) > 5, 200)
        begun.kill()
    wait_for(lambda: (seen := rows.standing(Path("out"))).state == "gone" and not seen.count("running"), 200)
    wait_for(lambda: at_work(far().parent) is None, 200)
    states = [(row.state, row.why.partition(";")[0]) for row in rows.standing(Path("out")).rows]
    assert states == [("stopped", "its process is gone")] * 2
    again = subprocess.run([*HORAE, "sweep", "--resume", "out", "--json"], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (0, "")
    assert [(run["state"], run["slot"]) for run in json.loads(again.stdout)["runs"]] == [
        ("done", "cpu"),
        ("done", "lab:cpu"),
    ]
    for seed in (0, 1):
        horae.run("demo", changes={**SMALL, "seed": seed, "training.device": "cpu"}, out=f"alone-{seed}")
        log = Path(f"out/runs/one/seed-{seed}/events.jsonl")
        assert log.read_bytes() == Path(f"alone-{seed}/events.jsonl").read_bytes()
    assert len(told()) == 3  # begun, gone on with, fetched
