"""`horae playground` over seeds, both modes: the table of docs/playground.md.

    python benchmarks/playground.py [--seeds 5]

Pictures are not drawn, and not in the seconds.
"""

from __future__ import annotations

import argparse
import time

from horae.playground import Game, play

HEAD = "| mode | seed | cohorts | ARI | ARI, nearest two merged | silhouette | clients seen | processor s | s |"


def main() -> None:
    """Print the table, a row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0, 1, ...")
    seeds = parser.parse_args().seeds
    play(Game(rounds=20))  # what is loaded once is not counted
    print(HEAD, "|---" * 9 + "|", sep="\n")
    for hard in (False, True):
        for seed in range(seeds):
            began, busy = time.perf_counter(), time.process_time()
            last = play(Game(seed=seed, hard=hard)).rounds[-1]
            took = f"{time.process_time() - busy:.1f} | {time.perf_counter() - began:.1f}"
            numbers = " | ".join(f"{last[name]:.3f}" for name in ("adjusted_rand_index", "adjusted_rand_index_merged"))
            tail = f"{last['silhouette']:.3f} | {last['clients_seen']} | {took} |"
            print(f"| {'hard' if hard else 'plain'} | {seed} | {last['cohorts']} | {numbers} | {tail}", flush=True)


if __name__ == "__main__":
    main()
