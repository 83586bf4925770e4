"""Kill runs at random moments, resume them, and compare them with runs that were left alone.

    python tests/kills.py KILLS [NAME ...]

Every kill is a SIGKILL of a process that carries out `horae run`. A process is forked from one that has loaded horae,
so that the moments fall into the run and not into Python's imports.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import horae.experiment  # loads every class that a checkpoint may name
from horae import cli
from horae.checkpoint import read_parts
from horae.pure.packing import unpack

ROOT = Path(__file__).parent.parent
EXPERIMENTS = {  # a file, and what makes it short enough to be killed often
    "demo": [str(ROOT / "src/horae/demo.toml"), "--set", "budget.participations=1200"],
    "unequal-late": [str(ROOT / "experiments/unequal-late.toml"), "--set", "budget.participations=1800"],
    "phones": [str(ROOT / "experiments/phones.toml"), "--set", "budget.simulated_s=86400"],
}


def horae(*words: str) -> int:
    """Start `horae run` with these words in a process of its own; its id."""
    child = os.fork()
    if child:
        return child
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        sys.argv = ["horae", "run", *words]
        cli.main()
        os._exit(0)
    except SystemExit as end:
        os._exit(int(end.code or 0))
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(70)


def finish(child: int) -> int:
    """Wait for a process; its exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(child: int, after_s: float) -> bool:
    """Kill a process after a while; False if it had ended by then."""
    until = time.monotonic() + after_s
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0, f"exit status {os.waitstatus_to_exitcode(status)}"
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def begin(name: str, directory: Path) -> list[str]:
    """The words that start an experiment here, or go on with it."""
    if (directory / "experiment.toml").exists():
        return ["--resume", str(directory)]
    return [*EXPERIMENTS[name], "--out", str(directory)]


def traces(directory: Path) -> dict[str, object]:
    """What must be the same: events, summaries without wall time, final models."""
    found: dict[str, object] = {}
    for arm in (directory, directory / "baseline"):
        found[f"{arm.name} events"] = (arm / "events.jsonl").read_bytes()
        summary = json.loads((arm / "summary.json").read_text())
        found[f"{arm.name} summary"] = {key: value for key, value in summary.items() if "wall" not in key}
        standing, _ = unpack(read_parts(arm / "checkpoints" / "final.ckpt")[1])
        found[f"{arm.name} models"] = np.concatenate([c.params for c in standing.tree]).tobytes()
    return found


def trial(name: str, kills: int, seed: int, folder: Path) -> list[float]:
    """Kill an experiment so many times, in as many runs as it takes, each compared with an undisturbed one.

    Returns the moments of the kills, in seconds since that process began.
    """
    rng, moments, alone = random.Random(seed), [], folder / "alone" / "run"
    started = time.monotonic()
    assert finish(horae(*begin(name, alone))) == 0
    lasts_s = time.monotonic() - started
    wanted = traces(alone)
    for turn in range(1000):
        directory = folder / f"killed-{turn}" / "run"
        while True:
            after_s = rng.uniform(0, 0.6 * lasts_s) if len(moments) < kills else 600.0
            if not killed(horae(*begin(name, directory)), after_s):
                break
            moments.append(after_s)
        assert traces(directory) == wanted, f"{name}: {directory} differs after kills at {moments}"
        if len(moments) >= kills:
            return moments
    raise AssertionError(f"{name} was too quick to be killed {kills} times")


def main() -> None:
    """Share the kills out over the experiments named, or over all."""
    kills, names = int(sys.argv[1]), sys.argv[2:] or list(EXPERIMENTS)
    with tempfile.TemporaryDirectory() as folder:
        for i, name in enumerate(names):
            share = kills * (i + 1) // len(names) - kills * i // len(names)
            moments = trial(name, share, i, Path(folder) / name)
            print(
                f"{name}: {len(moments)} kills, {min(moments):.2f} to {max(moments):.2f} s in, all the same", flush=True
            )


if __name__ == "__main__":
    main()
