"""The pruning benchmark: what its numbers are, what its verdicts say, and the control that is upside down."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.inverted import Inverted  # noqa: E402
from benchmarks.pruning import FILES, PARTS, measure  # noqa: E402
from benchmarks.pruning_told import judged, late, less, points, spent, tell, within  # noqa: E402
from horae.experiment import load  # noqa: E402


def run(*accuracies, nbytes=10, first_loss=2.3):
    """A run of so many rounds, `nbytes` each, and ten times as many FLOPs."""
    curve = [[i, a, i * nbytes, 10 * i * nbytes, i * nbytes] for i, a in enumerate(accuracies)]
    return {"curve": curve, "first_loss": first_loss, "living": 7, "cpu_s": 1.0, "ledger": {"train": {"nbytes_up": 5}}}


def test_the_second_half_counts():
    assert late(run(0.0, 0.1, 0.2, 0.4, 0.6)) == pytest.approx(0.4)  # rounds 2, 3, 4
    # of 30 bytes the second half is spent in rounds 2 and 3
    assert within(30, 2)(run(0.0, 0.1, 0.2, 0.4, 0.6)) == pytest.approx(0.3)
    assert within(1000, 2)(run(0.0, 0.1, 0.2, 0.4, 0.6)) == pytest.approx(0.5)  # it ended at 40 bytes: rounds 3, 4


def test_differences_are_paired_by_seed():
    one, other = {"0": run(0, 0.5), "1": run(0, 0.7)}, {"1": run(0, 0.4), "0": run(0, 0.4)}
    np.testing.assert_allclose(less(one, other), [0.1, 0.3])
    assert points(less(one, other), True) == "+20.0 ± 14.1"
    assert spent(one, 2) == 10


def every(**special):
    """All arms at the same accuracy, but for some."""
    arms = PARTS["methods"].arms
    return {arm: {str(s): run(0, *[special.get(arm, 0.5)] * 12) for s in range(2)} for arm in arms}


def test_verdicts_follow_the_numbers():
    flat = {(letter, bound): fine for letter, _, _, bound, fine in judged(every())}
    assert flat[("a", "≥ +5")] is False and flat[("b", "< -10")] is False
    assert flat[("c", "≥ -3")] and flat[("d", "≥ -1")] and flat[("e", "≤ 0")] and flat[("f", "≥ -1")]
    good = every(**{"AutoFLIP square @ 70%": 0.56, "inverted @ 70%": 0.3})
    verdicts = [(letter, fine) for letter, _, _, _, fine in judged(good)]
    assert ("a", True) in verdicts and ("b", True) in verdicts
    bad = every(**{"AutoFLIP weighted @ 70%": 0.45})
    assert {fine for letter, _, _, _, fine in judged(bad) if letter == "f"} == {False}


def test_tables_say_all_arms(tmp_path):
    tell({"methods": every()}, tmp_path)
    text = (tmp_path / "pruning.md").read_text()
    assert all(f"| {arm} |" in text for arm in PARTS["methods"].arms)
    assert "**does not hold**" in text and (tmp_path / "pruning.png").stat().st_size > 10_000


def test_all_arms_of_all_parts_load():
    for part in PARTS.values():
        for changes in part.arms.values():
            load(FILES / f"{part.file}.toml", {**part.changes, **changes})


def test_inverted_keeps_what_autoflip_drops():
    small = {"budget.participations": 5, "seed": 1, "pruning.optimizer": "sgd", "pruning.lr": 0.1, "pruning.epochs": 1}
    world = load(FILES / "digits.toml").world()
    kept = {}
    for name, changes in {"auto": {**small, "pruning.threshold": 0.5}, "inverted": {"seed": 1}}.items():
        part = load(FILES / "digits.toml", changes).parts["pruning"] if name == "auto" else Inverted(0.5)
        kept[name] = part.begin(world.trainer.initial_params, world.trainer.initial_buffers, 1, asked(world))[0] != 0
    weights = np.concatenate([np.arange(t.start, t.start + t.size) for t in world.trainer.anatomy.tensors
                              if t.kind == "weight"])  # fmt: skip
    both = (kept["auto"] & kept["inverted"])[weights]
    assert kept["auto"][weights].sum() == kept["inverted"][weights].sum() == weights.size // 2
    assert both.mean() < 0.05  # the floors alone: a percent of each tensor, either way


def asked(world):
    """What answers components' questions."""
    from horae.engines import Simulation

    experiment = load(FILES / "digits.toml", {"seed": 1})
    return Simulation(experiment.plan(), world, experiment.engine).ask


def test_a_run_is_measured_round_by_round():
    part = PARTS["methods"]
    found = measure(type(part)("digits", part.arms, 1, {"budget.participations": 15}), "random @ 70%", 0, {}, None)
    rounds, _, nbytes, flops, sparse = np.array(found["curve"]).T
    assert rounds.tolist() == [0, 1, 2, 3]
    assert (np.diff(nbytes) > 0).all() and (np.diff(flops) > 0).all() and sparse[-1] < flops[-1]
    weights = 64 * 64 * 2
    others = 64 + 64 + 64 * 10 + 10
    assert found["living"] == weights - int(0.7 * weights) + others
