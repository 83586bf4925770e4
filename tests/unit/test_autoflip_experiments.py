"""AutoFLIP's experiments: every file and every arm loads, and says what it should."""

from pathlib import Path

import pytest

import horae
from horae.compare.arms import read_arms
from horae.errors import DataError
from horae.experiment import load
from horae.reproduce.finding import claims
from horae.types import Suited

FOLDER = Path(__file__).parents[2] / "experiments" / "autoflip"
FILES = [file for file in sorted(FOLDER.glob("*.toml")) if not claims(file)]
ARMS = [(file, arm.name, arm.changes) for file in FILES if file.stem.startswith("arms-") for arm in read_arms(file)]
BASES = ("digits", "mnist", "fashion-mnist")


@pytest.mark.parametrize("file", [f for f in FILES if not f.stem.startswith("arms-")], ids=lambda f: f.stem)
def test_an_experiment_loads(file):
    experiment = load(file)
    assert experiment.name == file.stem
    assert experiment.names()["pruning"] == "autoflip"
    assert load(experiment.table()).table() == experiment.table()


@pytest.mark.parametrize("base", BASES)
def test_every_arm_loads_on_every_twin(base):
    for file, name, changes in ARMS:
        part = load(FOLDER / f"{base}.toml", changes).parts["pruning"]
        for key, value in changes.items():
            field = key.removeprefix("pruning.")
            assert field == "name" or getattr(part, field) == value, f"{file.stem}, {name}"


def test_the_ablations_that_the_paper_lists_are_there():
    shares = {c["pruning.threshold"] for f, _, c in ARMS if f.stem == "arms-thresholds"}
    assert shares >= {0.1, 0.2, 0.3, 0.4, 0.5}
    exploring = {c.get("pruning.explorers") for f, _, c in ARMS if f.stem == "arms-exploration"}
    assert exploring >= {0.1, 0.25, 0.5, 1.0}
    scores = {(c["pruning.mode"], c.get("pruning.normalisation")) for f, _, c in ARMS if f.stem == "arms-scores"}
    assert scores >= {("paper", "minmax"), ("paper", "robust")}
    assert "random" in {c["pruning.name"] for f, _, c in ARMS if f.stem == "arms-thresholds"}
    assert {c["pruning.schedule"] for f, _, c in ARMS if f.stem == "arms-schedules"} == {
        "static",
        "refresh",
        "per-round",
    }


def test_cifar_10_means_what_the_published_command_does():
    e = load(FOLDER / "cifar10.toml")
    people, training, server, pruning = (
        e.parts["population"],
        e.training,
        e.parts["algorithm"],
        e.parts["pruning"],
    )
    clients, rounds = people.clients, e.budget.participations / e.participants
    assert (clients, rounds, training.epochs, e.participants / clients, training.batch) == (20, 200, 5, 0.25, 350)
    assert people.partition.num_classes_per_partition == 2
    assert (training.optimizer, training.lr) == ("adam", 3e-4)
    assert training.lr_at(10) == pytest.approx(3e-4 * 0.99**10)
    assert (server.beta, server.lr) == (0.9, pytest.approx(1 - server.beta))  # v ← β v + (1 - β) Δ
    assert (pruning.explorers, pruning.patience, pruning.epochs, pruning.threshold) == (1.0, 40, 150, 0.3)
    assert (pruning.mode, pruning.schedule) == ("paper", "static")


def test_without_cifar_10_there_is_one_clear_line(tmp_path):
    with pytest.raises(
        DataError, match=r"data_batch_1 is missing; put CIFAR's batches for Python there, or name"
    ) as why:
        load(FOLDER / "cifar10.toml").world(tmp_path)
    assert "\n" not in str(why.value)


def test_every_arm_suits_the_digits():
    world = load(FOLDER / "digits.toml").world()
    for _, _, changes in ARMS:
        part = load(FOLDER / "digits.toml", changes).parts["pruning"]
        if isinstance(part, Suited):
            part.fits(world.trainer.anatomy)


def test_the_digits_run_and_explore(tmp_path):
    result = horae.run(FOLDER / "digits.toml", changes={"budget.participations": 10}, out=tmp_path / "run")
    assert result.participations == 10
    params = result.models[next(iter(result.models))]
    anatomy = load(FOLDER / "digits.toml").world().trainer.anatomy
    weights = sum(t.size for t in anatomy.tensors if t.kind == "weight")
    assert (params == 0).sum() >= int(0.3 * weights)  # the rest may be zero by chance
