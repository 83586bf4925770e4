"""What horae costs on Flower, beside Flower's own FedAvg: .flower/bin/python benchmarks/flower.py (an hour or two).

One SuperLink and four SuperNodes on this machine, a relay between them that counts bytes. All train the same perceptron
on the same samples with the same steps: FedAvg with horae's trainer in its ClientApp, FedAvg with plain torch, and
horae's loop with clustering auxo and single. They take turns (A B C ... A B C ...). A round lasts from one push of
training messages to the next; the first of a run is left out, and ratios are taken inside each turn. Deployments: "as
it comes" starts a process for each message and polls as Flower does; "quick" forks processes and polls ten times a
second (tests/flower/warm.py). Each run's rows go to benchmarks/results/flower.json as it ends, the page to flower.md.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests" / "flower")]

from deployment import Deployment, Run, quiet  # noqa: E402
from warm import Warm  # noqa: E402

from benchmarks.flower_page import page  # noqa: E402
from benchmarks.flower_relay import Relay  # noqa: E402

APPS, RESULTS = Path(__file__).with_name("flower_apps"), Path(__file__).parent / "results"
NODES, STEPS = 4, 5
SIZES = {"10 kB": 33, "1 MB": 3495, "10 MB": 34952}  # hidden units of a 64-h-10 perceptron: 75 h + 10 weights
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {  # server, client, run configuration
    "FedAvg, horae's trainer": ("plain", "plain", {}),
    "FedAvg, plain torch": ("plain", "torch", {"layers": True}),
    "FedAvg, plain torch, evaluated": ("plain", "torch", {"layers": True, "evaluate": 1.0}),
    "horae, single": ("horae", "horae", {"clustering": "single"}),
    "horae, auxo": ("horae", "horae", {"clustering": "auxo"}),
}
MODES = {"quick": 4, "as it comes": 3}  # and rounds of a run that count
FEWER = {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": None}  # Flower's own


@dataclass
class Counted(Deployment):
    """SuperNodes reach the SuperLink through a relay that counts; nobody else does."""

    relay: Relay | None = None
    _nodes_start: bool = field(default=False, init=False)

    @property
    def address(self) -> str:
        """The relay's for SuperNodes, the SuperLink's for others."""
        return self.relay.address if self.relay is not None and self._nodes_start else super().address

    def start_nodes(self, *which: int) -> None:
        """Through the relay."""
        self.relay = self.relay or Relay(self.port)
        self._nodes_start = True
        try:
            super().start_nodes(*which)
        finally:
            self._nodes_start = False

    def close(self) -> None:
        """The relay last."""
        super().close()
        if self.relay is not None:
            self.relay.close()


def app(home: Path, server: str, client: str) -> Path:
    """One of the apps, as Flower wants it."""
    place = home / f"{server}-{client}"
    package = place / "overhead"
    package.mkdir(parents=True)
    for name in ("pyproject.toml", "experiment.toml"):
        shutil.copy(APPS / name, place / name)
    for name, source in (("server", f"server_{server}"), ("client", f"client_{client}"), ("told",) * 2, ("data",) * 2):
        shutil.copy(APPS / f"{source}.py", package / f"{name}.py")
    (package / "__init__.py").write_text('"""Compared by benchmarks/flower.py."""\n')
    (place / "LICENSE").write_text("As horae's.\n")
    return place


def samples(file: Path) -> None:
    """Four clients with 200 samples of 64 numbers, 10 classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, (NODES, 200))
    centres = rng.normal(size=(10, 64))
    x = centres[y] + rng.normal(size=(NODES, 200, 64))
    np.savez(file, x=x.astype(np.float32), y=y)


def rounds(out: Path, relay: Relay) -> list[tuple[float, int]]:
    """Seconds and bytes of each round but the first: from one push of training messages to the next."""
    pushes = [json.loads(line) for line in out.read_text().splitlines()]
    trains = [push["s"] for push in pushes if push["kinds"] == ["train"] and push["messages"] == NODES]
    return [(b - a, relay.between(a, b)) for a, b in itertools.pairwise(trains)][1:]


def spent(here: Counted) -> dict[tuple[str, str], float]:
    """Processor seconds of every process that served a message, by id and start. Flower leaves them defunct."""
    starters = {str(pid) for node in here.supernodes.values() for pid in node.find("")}
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = file.read_text().rpartition(")")
            words = rest.split()
            if words[1] in starters and name.endswith("(flwr-clientapp"):
                ticks = int(words[11]) + int(words[12])
                found[file.parent.name, words[19]] = ticks / os.sysconf("SC_CLK_TCK")
    return found


def measured(here: Counted, home: Path, kind: str, size: str, n: int, turn: str) -> list[tuple[float, int]]:
    """One run's rounds: `n`, and one that leads in and one that ends the last."""
    server, client, config = KINDS[kind]
    out = home / f"out-{turn}"
    place = home / f"{server}-{client}"
    config = {"hidden": SIZES[size], "steps": STEPS, "rounds": n + 2, **config, "out": str(out)}
    done: Run = here.run(place, 900, **config)
    assert done.code == 0 and done.status == "finished:completed" and here.relay is not None, here.told()
    return rounds(out, here.relay)


def deployed(mode: str, sizes: list[str], kinds: list[str], turns: range, file: Path) -> None:
    """All turns of one deployment; rows are kept as they come."""
    warm = Warm(quiet()) if mode == "quick" else None
    try:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            samples(home / "data.npz")
            for server, client in sorted({KINDS[kind][:2] for kind in kinds}):
                app(home, server, client)
            speed: dict[str, Any] = {"warm": warm, "nap": 0.1} if warm else {"env": FEWER}
            with Counted(home / "deployment", nodes=NODES, config={"data": str(home / "data.npz")}, **speed) as here:
                for turn, size, kind in itertools.product(turns, sizes, kinds):
                    before = spent(here)
                    found = measured(here, home, kind, size, MODES[mode], f"{turn}-{sizes.index(size)}-{kind[-5:]}")
                    row = {"mode": mode, "size": size, "kind": kind, "turn": turn, "load": os.getloadavg()[0]}
                    row |= {"seconds": [round(s, 3) for s, _ in found], "bytes": [b for _, b in found]}
                    if warm is None:  # else a message is served by a fork of another process
                        row["cpu"] = sorted(v for key, v in spent(here).items() if key not in before)
                    kept(file, row)
                    told = f"{statistics.median(row['seconds']):6.2f} s {statistics.median(row['bytes']):12,.0f} bytes"
                    print(f"{mode:12} {size:6} {kind:31} turn {turn}: {told}; load {row['load']:.1f}", flush=True)
    finally:
        if warm is not None:
            warm.close()


def kept(file: Path, row: dict[str, Any]) -> None:
    """The row beside those before it, in place of an older one of the same turn."""
    same = ("mode", "size", "kind", "turn")
    rows = json.loads(file.read_text())["rows"] if file.exists() else []
    rows = [other for other in rows if any(other[key] != row[key] for key in same)] + [row]
    file.write_text(
        json.dumps({"nodes": NODES, "steps": STEPS, "cores": os.cpu_count(), "rows": rows}, indent=1) + "\n"
    )
    file.with_suffix(".md").write_text(page(json.loads(file.read_text()), list(KINDS), list(SIZES)))


def main() -> None:
    """The command."""
    parse = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parse.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parse.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parse.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parse.add_argument("--turns", type=int, default=3)
    parse.add_argument("--first", type=int, default=0, help="the first turn's number: others are kept")
    parse.add_argument("--file", type=Path, default=RESULTS / "flower.json")
    given = parse.parse_args()
    for mode in given.modes:
        deployed(mode, given.sizes, given.kinds, range(given.first, given.first + given.turns), given.file)


if __name__ == "__main__":
    main()
