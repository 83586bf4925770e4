"""A program that takes `horae run`'s words and does what a run does, without training: for tests that start many.

The experiment's name says how it behaves: "fails" until there is a file `mended` beside the run, "slow" runs until it
is stopped, "deaf" does not listen (and has a child of its own), "tells" complains with $TOLD in its words.
"""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from horae.pids import recorded
from horae.settings import dumps

FAKE = Path(__file__)
ROUND_S = 0.02


SSH = """#!{python}
import json, os, subprocess, sys
with open({log!r}, "a") as out:
    out.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[-2] == "down":
    sys.stderr.write("ssh: connect to host down port 22: Connection refused\\n")
    sys.exit(255)
there = dict(os.environ)
for name in ("LAB_TOKEN", "HORAE_PARENT"):
    there.pop(name, None)  # ssh passes none on
sys.exit(subprocess.run(["sh", "-c", sys.argv[-1]], env=there, cwd="/").returncode)
"""


def fake_ssh(tmp_path, monkeypatch):
    """Put an `ssh` first on PATH that writes down what it is told and does it here; what it was told, each time."""
    log, script = tmp_path / "ssh.jsonl", tmp_path / "bin" / "ssh"
    script.parent.mkdir()
    script.write_text(SSH.format(python=sys.executable, log=str(log)))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    return lambda: [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def pretended(monkeypatch):
    """Let jobs be carried out by this file."""
    from horae.compare.processes import Job

    real = Job.command

    def command(job, data_root):
        python, *rest = real(job, data_root)
        assert rest[:2] == ["-m", "horae"]
        return [python, str(FAKE), *rest[2:]]

    monkeypatch.setattr(Job, "command", command)


AS_HORAE = """
import sys
sys.path.insert(0, {here!r})
from pretended_runs import pretended
class Patch:
    setattr = staticmethod(setattr)
pretended(Patch)
sys.argv[0] = "horae"
from horae.__main__ import main
main()
"""


def as_horae(words):
    """What calls `horae ...` in a process of its own, with jobs carried out by this file."""
    return [sys.executable, "-c", AS_HORAE.format(here=str(FAKE.parent)), *words]


def main(words):
    command, *words = words
    if command == "stop":
        os.execv(sys.executable, [sys.executable, "-m", "horae", "stop", *words])
    options = {"--set": []}
    source = None
    while words:
        word = words.pop(0)
        if word == "--json":
            continue
        if word == "--set":
            options["--set"].append(words.pop(0))
        elif word.startswith("--"):
            options[word] = words.pop(0)
        else:
            source = Path(word)
    place = Path(options.get("--resume") or options["--out"])
    text = (place / "experiment.toml").read_text() if source is None else source.read_text()
    place.mkdir(parents=True, exist_ok=True)
    (place / "experiment.toml").write_text(dumps(tomllib.loads(text)))
    seen = {"words": sys.argv[1:], "environment": dict(os.environ), "cwd": os.getcwd()}
    with (place / "seen.jsonl").open("a") as out:
        out.write(json.dumps(seen) + "\n")
    stops = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stops.append(1))
    with recorded(place):
        return carry_out(tomllib.loads(text), place, stops)


def carry_out(experiment, place, stops):
    name, parent = experiment["name"], os.environ.get("HORAE_PARENT")
    if name == "fails" and not (place / "mended").exists():
        return say("the clients ran away", 2)
    if name == "tells":
        return say(f"no entry with {os.environ['TOLD']}, sorry", 2)
    if name == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        (place / "child").write_text(str(child.pid))
        stops = []
    log = place / "events.jsonl"
    done = log.read_text().count('"round"') if log.exists() else 0
    rounds = 10_000 if name in ("slow", "deaf") and not (place / "mended").exists() else max(5, done + 2)
    with log.open("a") as out:
        for number in range(done, rounds):
            line(out, event="round", number=number, clients=[1, 2], at_s=number, nbytes_up=1, nbytes_down=1)
            line(out, event="score", accuracy=number / 100)
            time.sleep(ROUND_S)
            if stops or (parent is not None and parent != str(os.getppid())):
                return say("stopped after the round in flight", 130)
    (place / "summary.json").write_text(json.dumps({"accuracy": 0.5}))
    (place / "checkpoints").mkdir(exist_ok=True)
    (place / "checkpoints" / "final.ckpt").write_text("large")
    return 0


def line(out, **event):
    out.write(json.dumps(event, separators=(",", ":")) + "\n")
    out.flush()


def say(words, code):
    sys.stderr.write(f"horae: {words}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
