"""What it takes to build each named population whose data are here: seconds, and memory against the raw arrays.

    python benchmarks/populations.py --data-root ~/.cache/horae [--names hapt,glyphs]

Each is built with its defaults in a process of its own. raw: x and y of the population and who holds what, in MB; peak:
the largest resident memory while it was built, over that before (families are imported by then, what one
population alone needs is not), in MB. Of a few megabytes the rest is parsing and libraries. mnist-writers keeps 200 of
836 writers at a quarter of their pixels: its file holds 55 MB. The table goes to stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path


def peak_mb() -> float:
    """The largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def now_mb() -> float:
    """The resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def build(name: str, data_root: Path | None, table: dict[str, object]) -> dict[str, object]:
    """One population built, with what it took."""
    from horae.families import component
    from horae.population import Ragged

    member = component("population", {"name": name, **table})
    missing = member.missing(data_root)
    if missing is not None:
        return {"name": name, "missing": missing}
    before, start = max(now_mb(), peak_mb()), time.perf_counter()
    people = member.build(0, data_root)
    took = time.perf_counter() - start
    peak = peak_mb() - before
    held = [part for part in (people.train, people.test) if isinstance(part, Ragged)]
    raw = people.x.nbytes + people.y.nbytes + sum(part.indices.nbytes + part.offsets.nbytes for part in held)
    raw_mb = raw / 2**20
    ratio = peak / raw_mb
    return {"name": name, "clients": people.clients, "s": took, "raw_mb": raw_mb, "peak_mb": peak, "ratio": ratio}


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--names", default="")
    parser.add_argument("--set", default="{}", help="fields of every population, as JSON")
    parser.add_argument("--one", help="build this one, print JSON (used by the benchmark itself)")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(build(args.one, args.data_root, json.loads(args.set))))
        return
    from horae.families import FAMILIES

    print("| population | clients | seconds | raw MB | peak MB | peak / raw |\n|---|---|---|---|---|---|")
    for name in args.names.split(",") if args.names else FAMILIES["population"]:
        command = [sys.executable, __file__, "--one", name, "--set", args.set]
        command += ["--data-root", str(args.data_root)] if args.data_root else []
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"| {name} | failed: {done.stderr.strip().splitlines()[-1]} | | | | |")
            continue
        row = json.loads(done.stdout)
        if "missing" in row:
            print(f"| {name} | not here | | | | |")
        else:
            told = (
                f"{row['clients']:,} | {row['s']:.2f} | {row['raw_mb']:.1f} | {row['peak_mb']:.1f} | {row['ratio']:.2f}"
            )
            print(f"| {name} | {told} |", flush=True)


if __name__ == "__main__":
    main()
