"""`horae explore` and `--guidance`: exploring once is what a run's own exploration is, to the bit and the byte."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from horae.checkpoint import read_ended
from horae.cli import app
from horae.compare.plan import make
from horae.errors import ConfigError, HoraeError, Stopped
from horae.explore import explore
from horae.explore.finding import layers
from horae.explore.maps import kernels, maps_of, pixels, tiles
from horae.explore.picture import cut, drawn, label
from horae.pruning.files import ARRAYS, FACTS, read_guidance, write_guidance
from horae.pruning.guidance import Guidance
from horae.pure.anatomy import Anatomy, Tensor
from horae.runner import run
from horae.types import Charge

SMALL = {
    "budget.participations": 12, "population.clients": 12, "participants": 4, "baseline": "none",
    "availability.name": "always", "model.name": "mlp", "pruning.name": "autoflip", "pruning.threshold": 0.6,
    "pruning.epochs": 2, "pruning.explorers": 1.0, "engine.min_clients": 1,
}  # fmt: skip
ANATOMY = Anatomy((Tensor("1.weight", (2, 2), 0), Tensor("1.bias", (2,), 4, "bias")))
FOUR = Guidance(np.array([4, 0, 1, 3, 8, 2], np.float32), np.array([2, 0, -1, 1, 2, 1], np.float32), 3)
CHARGE = Charge("exploration", 3, 30, 20, 1000, 1.5, 1000)


def sets(table):
    return [word for key, value in table.items() for word in ("--set", f"{key}={value}")]


ARGS = sets(SMALL)


@pytest.fixture(scope="module")
def explored(tmp_path_factory):
    """A directory with a guidance, made once."""
    return explore(changes=SMALL, out=tmp_path_factory.mktemp("explored") / "g")


def call(*args):
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def refused(*args):
    result = CliRunner().invoke(app, args)
    assert isinstance(result.exception, HoraeError), (result.output, result.exception)
    assert result.stdout == "" and "\n" not in str(result.exception)
    return str(result.exception)


def test_a_run_with_the_guidance_is_the_run_that_explored_itself(explored, tmp_path):
    own = run(changes=SMALL, out=tmp_path / "own")
    again = run(changes={**SMALL, "pruning.guidance": str(explored.directory)}, out=tmp_path / "again")
    keeps = [read_ended(tmp_path / name / "checkpoints")[0].tree[()].pruning.submodel.keep for name in ("own", "again")]
    assert np.array_equal(*keeps) and 0 < keeps[0].sum() < keeps[0].size
    mine, theirs = (result.tree[()].params for result in (own, again))
    assert np.array_equal(mine, theirs)
    for key in ("bytes_up", "bytes_down", "flops", "sparse_flops", "sparsity", "exploration"):
        assert own.summary[key] == again.summary[key], key
    ends = [json.loads((tmp_path / name / "events.jsonl").read_text().splitlines()[-1]) for name in ("own", "again")]
    assert ends[0]["ledger"]["exploration"] == ends[1]["ledger"]["exploration"]
    assert ends[0]["ledger"]["exploration"]["nbytes_up"] == 12 * 4 * 4810  # sums of squares, 12 clients
    waited = own.summary["simulated_s"] - again.summary["simulated_s"]
    assert waited == pytest.approx(explored.found.facts["simulated_s"], abs=0.01) and waited > 0


def test_the_facts_are_those_of_the_exploration(explored):
    facts = json.loads((explored.directory / FACTS).read_text())
    assert sorted(p.name for p in explored.directory.iterdir()) == ["guidance.json", "guidance.npz", "guidance.png"]
    assert (facts["name"], facts["seed"], facts["explored"], facts["explorers"]) == ("digits-rotated", 0, 12, 12)
    assert facts["epochs"] == {"mean": 2.0, "max": 2.0} and facts["stopped_early"] == 0
    assert facts["loss"]["after"] < facts["loss"]["before"] and facts["bytes_up"] == 12 * 4 * 4810
    first = facts["layers"][0]
    assert (first["name"], first["kind"], first["size"]) == ("1.weight", "weight", 4096)
    assert first["kept"] == dict.fromkeys(("weighted", "square", "paper"), 1639 / 4096)  # 4096 - 2457
    assert [row["kept"]["weighted"] for row in facts["layers"][1:]] == [1.0, 1.0, 1.0]


def test_who_stops_early_is_counted(tmp_path):
    changes = {**SMALL, "pruning.epochs": 6, "pruning.patience": 1, "pruning.lr": 3.0}
    facts = explore(changes=changes, out=tmp_path / "g").found.facts
    assert facts["stopped_early"] > 0 and facts["epochs"]["mean"] < 6 and facts["lr"] == 3.0


def test_another_pruning_is_explored_with_autoflips_defaults(tmp_path):
    said = []
    few = {**SMALL, "population.clients": 6, "pruning.name": "dense"}
    dense = {key: value for key, value in few.items() if not key.startswith("pruning.") or key == "pruning.name"}
    done = explore(changes=dense, out=tmp_path / "g", plot=tmp_path / "mine.png", say=said.append)
    assert said == ["[pruning] is dense: exploring as AutoFLIP does with its defaults"]
    assert done.found.flip.threshold == 0.3 and done.picture == tmp_path / "mine.png"
    assert (tmp_path / "mine.png").read_bytes() == (tmp_path / "g" / "guidance.png").read_bytes()
    assert drawn(done.found) == (tmp_path / "g" / "guidance.png").read_bytes()


def test_ctrl_c_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(Stopped, match="nothing was written"):
        explore(changes=SMALL, out=tmp_path / "g", watch=interrupted)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(os, "replace", interrupted)  # while files are being written
    with pytest.raises(Stopped):
        explore(changes={**SMALL, "population.clients": 6}, out=tmp_path / "g")
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_a_row_for_each_layer_and_json(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    lines = call("explore", *ARGS, "--seed", "2", "--out", "g").splitlines()
    row = next(line.split() for line in lines if line.startswith("1.weight"))
    assert row[:3] == ["1.weight", "weight", "4,096"] and row[-3:] == ["40.0%", "40.0%", "40.0%"]
    assert lines[-2:] == ["guidance: g", f"picture: {Path('g/guidance.png')}"]
    assert any(line.startswith("12 clients of 12 explored") for line in lines)
    assert any(line.startswith("cost: 230.9 kB up, 230.9 kB down") for line in lines)
    told = json.loads(call("explore", *ARGS, "--out", "h", "--json"))
    assert told["directory"] == "h" and told["seed"] == 0 and len(told["layers"]) == 4


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--out", "full"], "full is not empty; choose another --out"),
        (["--plot", "g.svg"], "--plot should end in .png, got 'g.svg'"),
        (["--plot", "file/g.png"], "file is not a directory"),
        (["nowhere.toml"], "there is no experiment file 'nowhere.toml'"),
        (["--set", "pruning.treshold=0.3"], "pruning 'autoflip' has no 'treshold'; did you mean 'threshold'?"),
        (["--set", "pruning.structured=0.5", "--set", "model.name=logistic"], "pruning.structured should be 0"),
    ],
)
def test_mistakes_are_one_line(args, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    Path("full/something").touch()
    Path("file").touch()
    assert message in refused("explore", *([] if args == ["nowhere.toml"] else ARGS), *args)
    assert {p.name for p in tmp_path.iterdir()} == {"full", "file"}


def test_a_model_with_nothing_to_prune_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("horae.explore.finding.prunable", lambda anatomy: np.zeros(anatomy.n_params, bool))
    with pytest.raises(ConfigError, match=r"model.name: mlp has no weights to prune .*; take another, such as"):
        explore(changes=SMALL, out=tmp_path / "g")
    assert list(tmp_path.iterdir()) == []


def test_a_long_model_is_cut_short_in_the_picture_and_weights_that_nobody_moves_are_drawn(explored):
    tensors = tuple(Tensor(f"layers.{i}.weight", (2, 2), 4 * i) for i in range(30))
    square, found = np.arange(120, dtype=np.float32) * 1e-6, explored.found
    for values in (square, np.zeros(120, np.float32)):
        guidance, keep = Guidance(values, values, 3), dict.fromkeys(found.keep, np.arange(120) > 40)
        assert drawn(replace(found, anatomy=Anatomy(tensors), guidance=guidance, keep=keep))[:4] == b"\x89PNG"


# ---------------------------------------------------------------- --guidance


def test_the_option_stores_an_absolute_path(explored, tmp_path, monkeypatch):
    monkeypatch.chdir(explored.directory.parent)
    call("run", *ARGS, "--guidance", "g", "--out", str(tmp_path / "run"))
    assert f'guidance = "{explored.directory.absolute()}"' in (tmp_path / "run" / "experiment.toml").read_text()


def test_a_comparison_gives_it_to_the_arms_that_take_one():
    plan = make(None, {"pruning.guidance": "/g"}, {"pruning.name": ["dense", "autoflip"]}, [0])
    parts = [plan.experiment(arm, 0).parts["pruning"] for arm in plan.arms]
    assert [getattr(part, "guidance", None) for part in parts] == [None, "/g"]
    plan = make({"pruning": {"name": "autoflip"}}, {"pruning.guidance": "/g"}, {"training.lr": [0.1, 1.0]}, [0])
    assert all(plan.experiment(arm, 0).parts["pruning"].guidance == "/g" for arm in plan.arms)
    with pytest.raises(ConfigError, match="goes with a pruning that takes one, got dense, random; add --set"):
        make(None, {"pruning.guidance": "/g"}, {"pruning.name": ["dense", "random"]}, [0])


@pytest.mark.parametrize("command", [["run"], ["compare", "--vary", "algorithm=fedavg,fedyogi"]])
def test_a_guidance_that_cannot_be_used_is_one_line_before_any_work(command, explored, tmp_path):
    def said(directory, *more):
        table = {key: value for key, value in SMALL.items() if key != "baseline"}
        return refused(*command, *sets(table), *more, "--guidance", str(directory), "--out", str(tmp_path / "out"))

    assert f"there is no {FACTS} in {tmp_path / 'none'}; make one with: horae explore" in said(tmp_path / "none")
    assert "is of another model" in said(explored.directory, "--set", "model.name=logistic")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / FACTS).write_bytes((explored.directory / FACTS).read_bytes())
    assert "cannot be read (No such file or directory: guidance.npz)" in said(broken)
    data = bytearray((explored.directory / ARRAYS).read_bytes())
    data[len(data) // 2] ^= 1
    (broken / ARRAYS).write_bytes(data)
    assert "guidance.npz is not the one that guidance.json was written with" in said(broken)
    assert "say the same" in said(broken, "--set", "pruning.guidance=x")
    assert not (tmp_path / "out").exists()


def test_a_pruning_that_takes_none_is_told(explored, tmp_path):
    said = refused("run", "--guidance", str(explored.directory), "--out", str(tmp_path / "out"))
    assert said == "--guidance goes with a pruning that takes one, got dense; add --set pruning.name=autoflip"
    vary = ["--vary", "algorithm=fedavg,fedyogi", "--out", str(tmp_path / "out")]
    said = refused("compare", *vary, "--guidance", str(explored.directory))
    assert said.startswith("pruning.guidance goes with a pruning that takes one, got dense; add --set pruning.name")


# ---------------------------------------------------------------- the files


def test_what_is_written_is_read(tmp_path):
    write_guidance(tmp_path, FOUR, np.ones(6, np.float32), ANATOMY, (CHARGE,), {"name": "x"})
    guidance, at, charges = read_guidance(str(tmp_path), ANATOMY)
    assert np.array_equal(guidance.square, FOUR.square) and np.array_equal(guidance.signed, FOUR.signed)
    assert guidance.n == 3 and np.array_equal(at, np.ones(6)) and charges == (CHARGE,)


@pytest.mark.parametrize(
    "change",
    [
        {"charges": [{"purpose": "exploration", "nbytes_up": -1}]},
        {"charges": [{"purpose": "exploration", "nbytes_up": 0.5}]},
        {"charges": [{"purpose": 1}]},
        {"charges": [{"purpose": "x", "what": 1}]},
        {"charges": 1},
        {"explorers": 0},
        {"explorers": "three"},
        {"sha256": "0"},
        {"tensors": None},
    ],
)
def test_nonsense_in_the_facts_is_refused(change, tmp_path):
    write_guidance(tmp_path, FOUR, np.ones(6, np.float32), ANATOMY, (CHARGE,), {})
    table = json.loads((tmp_path / FACTS).read_text())
    (tmp_path / FACTS).write_text(json.dumps(table | change))
    with pytest.raises(ConfigError, match=r"cannot be read .*; explore again"):
        read_guidance(str(tmp_path), ANATOMY)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04rubbish", b"\x93NUMPY\x01\x00", b"[" * 100_000])
def test_rubbish_is_refused(data, tmp_path):
    write_guidance(tmp_path, FOUR, np.ones(6, np.float32), ANATOMY, (CHARGE,), {})
    facts = json.loads((tmp_path / FACTS).read_text())
    del facts["sha256"]
    (tmp_path / FACTS).write_text(json.dumps(facts))
    (tmp_path / ARRAYS).write_bytes(data)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_guidance(str(tmp_path), ANATOMY)
    (tmp_path / FACTS).write_bytes(data)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_guidance(str(tmp_path), ANATOMY)


def test_arrays_of_another_length_or_with_nan_are_refused(tmp_path):
    for at in (np.ones(5, np.float32), np.full(6, np.nan, np.float32)):
        write_guidance(tmp_path, FOUR, at, ANATOMY, (CHARGE,), {})
        with pytest.raises(ConfigError, match="its arrays do not fit"):
            read_guidance(str(tmp_path), ANATOMY)


# ---------------------------------------------------------------- the numbers and the picture


def test_a_row_for_each_tensor():
    keep = {"square": np.array([True, False, False, True, True, True])}
    first, bias = layers(ANATOMY, FOUR, keep)
    assert (first["mean_g"], first["unmoved"], first["kept"]) == (2.0, 0.25, {"square": 0.5})  # (4+0+1+3)/4
    assert (bias["mean_g"], bias["unmoved"], bias["kept"]) == (5.0, 0.0, {"square": 1.0})


def test_maps_by_hand():
    g = np.array([[1.0, 2, 3, 4, 5, 6], [3.0, 2, 1, 0, 1, 0]])  # means 2 2 2 2 3 3
    assert np.array_equal(pixels(g, (2, 3)), [[2, 2, 2], [2, 3, 3]])
    assert np.array_equal(pixels(np.array([[1.0, 2, 3, 4, 5, 6]]), (3, 1, 2)), [[3, 4]])  # three colours
    four = np.arange(8.0).reshape(2, 1, 2, 2)  # two kernels of one input: 0..3, 4..7
    assert np.array_equal(kernels(four), [[1.5, 5.5]])
    wall = tiles(four)
    assert wall.shape == (2, 5) and np.isnan(wall[:, 2]).all()
    assert np.array_equal(wall[:, :2], [[0, 1], [2, 3]]) and np.array_equal(wall[:, 3:], [[4, 5], [6, 7]])


def test_the_cut_is_the_highest_g_that_goes(explored):
    square, found = explored.found.guidance.square[:4096], explored.found
    assert cut(found) == np.sort(square)[2456]  # ⌊0.6 · 4096⌋ = 2457 go
    assert [each.values.shape for each in maps_of(found)] == [(8, 8), (8, 8)]
    assert label(Tensor("a.very.long.name.of.a.layer.0.conv.weight", (4, 2), 0)) == "…ng.name.of.a.layer.0.conv\n4×2"
    assert drawn(found)[:4] == b"\x89PNG"
