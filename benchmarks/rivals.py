"""Every algorithm and every clustered rival beside Auxo, on equal terms: the tables of docs/rivals.md.

    python benchmarks/rivals.py [NAME ...] [--data-root DIR] [--out comparisons/rivals]

Each table is one `horae compare`, which goes on where it was stopped; its results.md is copied to
benchmarks/results/rivals-NAME.md. Data that are not there are left out, with a word.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ARMS, FIVE = (str(ROOT / "experiments" / "rivals" / name) for name in ("arms.toml", "five.toml"))
ALGORITHMS = "fedavg,fedavgm,fedadam,fedyogi,fedprox,qfedavg,scaffold,ftfa,ditto,fedbuff"
HALF = ["--set", "budget.participations=3000"]
TUNED = ["--arms", ARMS, "--against", "FedAvg", "--tune-seeds", "100"]
OTHERS = ["--arms", FIVE, "--against", "FedYogi"]
TABLES = {
    "rotated": [*TUNED, "--tune-budget", "4"],
    "rotated-always": [*TUNED, "--tune-budget", "2", "--set", "availability.name=always"],
    "algorithms": ["--vary", f"algorithm={ALGORITHMS}", "--vary", "clustering=single,auxo", *HALF],
    "permuted": [*OTHERS, "--set", "population.name=digits-permuted"],
    "dirichlet": [*OTHERS, "--set", "population.name=digits-dirichlet"],
    "mnist-writers": [str(ROOT / "experiments" / "mnist-writers.toml"), *OTHERS],
    "debian-descriptions": [str(ROOT / "experiments" / "debian-descriptions.toml"), *OTHERS],
}


def main() -> None:
    """Run the tables that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=", ".join(TABLES))
    parser.add_argument("--data-root", help="where data sets lie")
    parser.add_argument("--out", type=Path, default=Path("comparisons/rivals"))
    options = parser.parse_args()
    if unknown := set(options.names) - set(TABLES):
        parser.error(f"there is no table {', '.join(sorted(unknown))}; known: {', '.join(TABLES)}")
    data = ["--data-root", options.data_root] if options.data_root else []
    for name in options.names or TABLES:
        place = options.out / name
        begun = (place / "comparison.json").exists()
        words = ["--resume", str(place)] if begun else [*TABLES[name], "--seeds", "0-2", "--out", str(place)]
        done = subprocess.run([sys.executable, "-m", "horae", "compare", *words, *data], check=False)
        if (place / "results.md").exists():
            shutil.copy(place / "results.md", ROOT / "benchmarks" / "results" / f"rivals-{name}.md")
        if done.returncode:
            print(f"{name}: not whole, see above", file=sys.stderr)


if __name__ == "__main__":
    main()
