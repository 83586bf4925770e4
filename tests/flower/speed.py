"""How long an exchange takes on loopback: `.flower/bin/python tests/flower/speed.py [NODES [ROUNDS]]`.

An exchange: a message of 16 bytes to every node, until the last reply is there. The first of a run is left out.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from deployment import Deployment, quiet
from warm import Warm

TASKS = "FLWR_SUPEREXEC_TASK_POLL_INTERVAL"
SETTINGS = {
    "as it comes, send_and_receive": ("", False, 0.0, {TASKS: None}),
    "replies pulled 20 times a second": ("push", False, 0.0, {TASKS: None}),
    f"and {TASKS}=0.05": ("push", False, 0.0, {}),
    "and processes forked": ("push", True, 0.0, {}),
    "and nodes poll 10 times a second": ("push", True, 0.1, {}),
}


def exchanges(home: Path, nodes: int, rounds: int, warm: Warm | None, nap: float, only: str, env: dict) -> list[float]:
    """Seconds of each exchange after the first, and the start before them."""
    app = Path(shutil.copytree(Path(__file__).with_name("plainapp"), home / "plainapp"))
    begin = time.monotonic()
    with Deployment(home / "deployment", nodes=nodes, env=env, warm=warm, nap=nap) as here:
        started = time.monotonic() - begin
        run = here.run(app, only=only, rounds=rounds, nodes=nodes, out=str(home / "out"), seconds=600)
        assert run.code == 0, here.told()
    told = [json.loads(line)["seconds"] for line in (home / "out").read_text().splitlines()]
    return [started, *told[1:]]


def main(nodes: int = 2, rounds: int = 6) -> None:
    """One line a setting."""
    warm = Warm(quiet())
    try:
        print(f"{nodes} nodes, {rounds - 1} exchanges each; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        for name, (only, forked, nap, env) in SETTINGS.items():
            with tempfile.TemporaryDirectory() as home:
                start, *told = exchanges(Path(home), nodes, rounds, warm if forked else None, nap, only, env)
            spread = f"{statistics.median(told):5.1f} s ({min(told):.1f} to {max(told):.1f})"
            print(f"{name:50} {spread}, started in {start:.1f} s; load {os.getloadavg()[0]:.1f}", flush=True)
    finally:
        warm.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
