"""AutoFLIP's directional gates on MNIST, four paired seeds: what `make pruning` measured to hold, holds.

The letters are those of docs/pruning.md. Needs mnist_writers.npz.
"""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.pruning import PARTS, measure  # noqa: E402
from benchmarks.pruning_told import judged  # noqa: E402
from horae.population.datasets import missing_writers  # noqa: E402

PLACES = [Path(os.environ.get("HORAE_DATA") or Path.home() / ".cache" / "horae"), ROOT.parent / "shared" / "data"]
DATA = next((place for place in PLACES if missing_writers(place) is None), None)
SEEDS = 4
NEEDED = (
    "dense",
    *(f"{name} @ 70%" for name in ("random", "ssfl", "inverted", "AutoFLIP per round", "AutoFLIP square")),
    *(f"AutoFLIP weighted @ {share}" for share in ("30%", "70%", "90%")),
)
FEW = ("weighted, 25% explore", "ssfl, 25% explore")


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="mnist_writers.npz is not here; see docs/data.md")
def test_the_gates_hold():
    people, runs, few = {}, {arm: {} for arm in NEEDED}, {arm: {} for arm in FEW}
    for seed in range(SEEDS):
        for arm in NEEDED:
            runs[arm][str(seed)] = measure(PARTS["methods"], arm, seed, people, DATA)
        for arm in FEW:
            few[arm][str(seed)] = measure(PARTS["exploration"], arm, seed, people, DATA)
    verdicts = judged(runs, few)
    failed = [(letter, what, values.tolist()) for letter, what, values, _, fine in verdicts if not fine]
    assert len(verdicts) == 13
    assert not failed
