"""The harm benchmark: what its levels mean, whom it counts as caught, and what its tables say."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import harm  # noqa: E402
from horae.channels.privacy import epsilon_of  # noqa: E402
from horae.experiment import load  # noqa: E402


@pytest.mark.parametrize("what", harm.RANGES)
def test_every_level_and_arm_is_an_experiment(what):
    _, levels, arms = harm.RANGES[what]
    for level in levels:
        for arm in arms:
            made = load(None, {**harm.changes_of(what, level), **harm.ARMS[arm]})
            assert made.clustered == ("single" if arm == "single" else "auxo")
            assert made.harm.on == (what != "privacy" and level != "0")
            assert bool(made.parts["channels"]) == (what == "privacy" and level != "none")


def test_a_level_of_epsilon_is_that_of_one_participation():
    assert harm.sigma_of("σ=0.77") == 0.77
    assert epsilon_of(harm.sigma_of("4"), 1e-6, 1) == pytest.approx(4.0, abs=1e-6)


def test_caught_counts_clients_that_were_ever_on_a_list(tmp_path):
    # Client 1 lies and is contradicted twice in a row; 2, honest, is too; 3 is contradicted once; 4 claims nothing.
    base = {
        "event": "round", "cohort": "0.1", "started_s": 0.0, "at_s": 1.0, "invited": 4, "stragglers": 0, "dropouts": 0,
        "nbytes_up": 0, "nbytes_down": 0, "clients": [1, 2, 3, 4], "claims": [1.0, 0.5, 0.5, None],
    }  # fmt: skip
    rounds = [
        {**base, "number": 0, "rewards": [-0.5, -0.1, -0.1, -0.1]},
        {**base, "number": 1, "rewards": [-0.5, -0.1, 0.2, -0.1]},
    ]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in rounds))

    def lies(clients, seed):
        return np.isin(clients, [1])

    found = harm.caught(tmp_path, lies, 0, 2)
    assert found == {"honest_seen": 3, "honest_hit": 1, "liars_seen": 1, "liars_hit": 1}
    assert harm.caught(tmp_path, lies, 0, 3)["liars_hit"] == 0


def test_tables_say_mean_and_spread_and_what_was_caught(tmp_path):
    caught = {"honest_seen": 180, "honest_hit": 2, "liars_seen": 20, "liars_hit": 19}
    rows = [
        {
            "what": "claims",
            "level": "0.1",
            "arm": arm,
            "seed": seed,
            "accuracy": a + 0.02 * seed,
            "cohorts": 4,
            **caught,
        }
        for arm, a in (("single", 0.7), ("auxo", 0.9), ("auxo, doubting", 0.8))
        for seed in (0, 1)
    ]
    rows.append({"what": "honest", "level": "demo", "seed": 0, "seen": 200, "hit": {"2": 32, "3": 4, "5": 0, "8": 0}})
    text = harm.tables(rows)
    # 70 and 72: mean 71, standard deviation √2.
    assert "| 0.1 | 71.0 ± 1.4 | 91.0 ± 1.4 | 81.0 ± 1.4 | 4, 4 | 19 of 20 liars caught, 2 honest;" in text
    assert "| demo | 1 | 200 | 32 (16.00 %) | 4 (2.00 %) | 0 (0.00 %) | 0 (0.00 %) |" in text
    harm.draw(rows, tmp_path / "harm.png")
    assert (tmp_path / "harm.png").read_bytes().startswith(b"\x89PNG")
