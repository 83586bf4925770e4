"""What an experiment must not ask for: contradictions between its parts, and numbers that nobody can mean."""

import numpy as np
import pytest
import torch
from torch import nn

from horae.checks import affordable, check_batches
from horae.clustering import Oracle, Single
from horae.errors import ConfigError, DataError
from horae.experiment import load
from horae.population import Population
from horae.training import Training, check_module

HUGE, ENORMOUS = 2**62, 1e300


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"name": "a\\b"},
            "name should be fit for a directory: without slashes, unprintable letters, a leading dot, or",
        ),
        ({"name": ".hidden"}, "name should be fit for a directory"),
        ({"name": ".."}, "name should be fit for a directory"),
        ({"name": "a\0b"}, "name should be fit for a directory"),
        ({"name": "a\nb"}, "name should be fit for a directory"),
        ({"name": " a"}, "name should be fit for a directory"),
        ({"name": "x" * 101}, "name should have at most 100 letters (200 bytes), got 'xxx"),
        ({"name": "名" * 70}, "name should have at most 100 letters (200 bytes)"),
        ({"seed": 2**63}, "seed should lie between -2^63 and 2^63, got 9223372036854775808"),
        ({"participants": HUGE}, "participants should be <= 1,000,000,000, got 4611686018427387904; lower it"),
        ({"overcommit": ENORMOUS}, "overcommit should be <= 1,000, got 1e+300; lower it"),
        ({"deadline_s": 1e-9}, "deadline_s should be >= 1, got 1e-09"),
        ({"deadline_s": ENORMOUS}, "deadline_s should be <= 10,000,000,000, got 1e+300; lower it"),
        ({"budget.simulated_s": ENORMOUS}, "budget.simulated_s should be <= 1e+10, got 1e+300; lower it"),
        ({"engine.retry_s": 1e-9}, "engine.retry_s should be >= 1, got 1e-09; 60 is usual"),
        ({"engine.retry_s": ENORMOUS}, "engine.retry_s should be <= 1e+10, got 1e+300; lower it"),
        ({"engine.check_in_s": ENORMOUS}, "engine.check_in_s should be <= 1e+10, got 1e+300; lower it"),
        ({"training.lr": ENORMOUS}, "training.lr should be <= 1000, got 1e+300; 0.1 is a common start"),
        ({"training.weight_decay": ENORMOUS}, "training.weight_decay should be <= 1000, got 1e+300"),
        ({"training.steps": HUGE}, "training.steps should be <= 65,535, got 4611686018427387904; lower it"),
        ({"training.epochs": HUGE}, "training.epochs should be <= 65,535, got"),
        ({"training.batch": HUGE}, "training.batch should be <= 16,777,215, got"),
        ({"training.threads": HUGE}, "training.threads should be <= 256, got"),
        ({"training.min_lr": 0.5}, "training.min_lr should be in [0, lr = 0.1], got 0.5"),
        ({"training.schedule": "cosine"}, 'training.total_rounds should be >= 1 with schedule = "cosine", got 0; say'),
        ({"algorithm.lr": ENORMOUS}, "algorithm.lr should be > 0 and <= 1000, got 1e+300"),
        ({"algorithm.name": "fedyogi", "algorithm.lr": ENORMOUS}, "algorithm.lr should be > 0 and <= 1000, got 1e+300"),
        (
            {"algorithm.name": "fedyogi", "algorithm.tau": 1e-30},
            "algorithm.tau should be >= 1e-9 and <= 1000, got 1e-30",
        ),
        ({"algorithm.name": "fedyogi", "algorithm.tau": 1e200}, "algorithm.tau should be >= 1e-9 and <= 1000, got"),
        ({"clustering.k_max": HUGE}, "clustering.k_max should be >= 2 and <= 255, got"),
        ({"clustering.max_cohorts": HUGE}, "clustering.max_cohorts should be >= 1 and <= 4096, got"),
        ({"clustering.start": 0.9}, "clustering.start should be in [0, clustering.stop], got 0.9"),
        ({"devices.ms_per_sample": 1e308}, "devices.ms_per_sample should lie between 1e-6 and 1e9, got 1e+308"),
        ({"devices.kbps": 5e-324}, "devices.kbps should lie between 1e-6 and 1e9, got 5e-324"),
        ({"devices.name": "equal", "devices.kbps": 1e308}, "devices.kbps should lie between 1e-6 and 1e9, got 1e+308"),
        ({"availability.session_s": 1e308}, "availability.session_s should be >= 1 and <= 1e10, got 1e+308"),
        ({"availability.late_after_s": 1e308}, "availability.late_after_s should be >= 0 and <= 1e10, got 1e+308"),
        (
            {"availability.late_share": 0.3},
            "availability.late_after_s should be > 0 where late_share is, got 0.0; say when",
        ),
        ({"population.clients": HUGE}, "population.clients should be <= 10,000,000, got 4611686018427387904; lower it"),
        (
            {"population.images_per_client": 1798},
            "population.images_per_client should be <= 1,797, the images there are",
        ),
        (
            {"population.degrees": [0] * 1001},
            "population.degrees should make at most 1000 groups, got 1001; make fewer",
        ),
        (
            {"population.name": "digits-permuted", "population.n_groups": HUGE},
            "population.n_groups should make at most",
        ),
        ({"population.group_sizes": [1, 2]}, "population.group_sizes should have 4 entries, one per group, got [1, 2]"),
        ({"model.name": "mlp", "model.hidden": [1] * 1001}, "model.hidden should name at most 1000 layers, got (1, 1"),
        ({"clustering.gamma": 10**400}, "clustering.gamma should lie between -2^63 and 2^63, got 1000"),
        ({"clustering.gamma": 10**5000}, "clustering.gamma should lie between -2^63 and 2^63, got a int that cannot"),
        ({"training.steps": True}, "training.steps should be a whole number, got True"),
        ({"channels": [{"name": "plain", "bits": 3}]}, "channels 'plain' has no 'bits'; known: "),
        ({"population": [1, 2]}, "population should be a table ([population]), got [1, 2]"),
        ({"clustering.name": "horae.training:Training"}, "clustering should have the methods init, prepare, request, "),
        ({"model.name": "horae.experiment:Given"}, "model 'horae.experiment:Given' cannot be made: "),
        ({"model.name": "x" * 5000}, "model.name: there is no 'xxx"),
        ({"clustering.gamma": "x" * 5000}, "clustering.gamma should be a number, got 'xxx"),
        ({"clustering.gamma": "two\nlines"}, r"clustering.gamma should be a number, got 'two\nlines'"),
        ({"clustering." + "x" * 5000: 1}, "clustering 'auxo' has no 'xxx"),
        ({".".join("abcdefghi"): 1}, "a change should name a field, like clustering.gamma, got 'a.b.c.d.e.f.g.h.i'"),
        ({"x" * 5000: 1}, "the experiment has no 'xxx"),
    ],
)
def test_what_nobody_can_mean_is_refused_in_one_line(changes, message):
    with pytest.raises(ConfigError) as caught:
        load(None, changes)
    words = str(caught.value)
    assert words.startswith(message)
    assert words.isprintable()
    assert len(words) < 300


@pytest.mark.parametrize("name", ["digits rotated 2", "v1.2", "Übung", "名前", "a-b_c", "x" * 100, "it's"])
def test_names_that_a_directory_can_have_are_kept(name):
    assert load(None, {"name": name}).name == name


# ---------------------------------------------------------------- with the clients at hand


def people(groups=None, clients=12):
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(5, 3)), np.arange(5) % 2) for _ in range(clients)]
    return Population.from_arrays(pairs, groups=groups)


@pytest.mark.parametrize("fields", [{"clustering.name": "oracle", "baseline": "none"}, {"baseline": "oracle"}])
@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            None,
            " oracle should have planted groups to go by, got 'a population without'; use another one, or a population",
        ),
        ([0, 2] * 6, " oracle should have groups numbered from 0 without gaps, one for each client, got [0, 2]; give"),
        (
            [0, 1, -1] * 4,
            " oracle should have groups numbered from 0 without gaps, one for each client, got [-1, 0, 1]",
        ),
    ],
)
def test_the_oracle_needs_planted_groups(fields, groups, message):
    made = load({"participants": 4}, fields)
    with pytest.raises(ConfigError) as caught:
        made.world(people=people(groups))
    which = "clustering" if "clustering.name" in fields else "baseline"
    assert str(caught.value).startswith(which + message)


def test_the_oracle_needs_a_participant_for_each_group():
    message = "participants should be >= 4 for baseline oracle, one for each planted group, got 3; raise it, or"
    with pytest.raises(ConfigError, match=message):
        load({"participants": 3, "baseline": "oracle"}).world(people=people([0, 1, 2, 3] * 3))
    assert (
        load({"participants": 4, "baseline": "oracle"}).world(people=people([0, 1, 2, 3] * 3)).population.clients == 12
    )
    one = load({"participants": 1, "clustering": {"name": "oracle"}}).world(
        people=people([1] * 12)
    )  # one group: one model
    assert one.population.clients == 12


def test_groups_are_no_matter_where_nobody_asks_for_them():
    load({"participants": 4, "clustering": {"name": "single"}, "baseline": "auxo"}).world(people=people([0, 2] * 6))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model.name": "mlp", "model.hidden": [10**9]},
            "model.hidden should make at most 2,147,483,648 parameters, got",
        ),
        ({"model.name": "cnn", "model.channels": [4, 2**40]}, "model.channels should make at most 2,147,483,648 param"),
        (
            {"model.name": "cnn", "model.channels": [4] * 4},
            "model.channels should have at most 3 stages for 8x8 images",
        ),
        (
            {"training.batch": 2**24 - 1},
            "training.batch x steps x participants should be <= 1,073,741,824, what fits in",
        ),
        (
            {"population.name": "digits-sessions", "population.images_per_client": 500},
            "population.images_per_client should leave each client at most",
        ),
        (
            {"population.name": "digits-sessions", "population.test_fraction": 0.999},
            "population.images_per_client should",
        ),
        ({"population.clients": 29}, "participants should be <= 29 clients, got 30; lower participants or raise"),
        ({"model.name": "horae.training:Trainer"}, "model.name should name a dataclass, got 'horae.training:Trainer'"),
    ],
)
def test_what_the_data_do_not_allow_is_refused_before_any_work(changes, message):
    with pytest.raises(ConfigError) as caught:
        load(None, changes).world()
    assert str(caught.value).startswith(message)


def test_missing_data_are_named_with_the_place_to_put_them(tmp_path):
    with pytest.raises(
        DataError, match=r"mnist_writers\.npz is missing; put it there, or name its directory with --data"
    ):
        load(None, {"population.name": "mnist-writers"}).world(tmp_path)
    with pytest.raises(DataError, match="is missing"):
        load(None, {"population.name": "mnist-writers"}).world(tmp_path / "x\0y")
    with pytest.raises(DataError, match="name the directory of the data with --data-root or HORAE_DATA"):
        load(None, {"population.name": "mnist-writers"}).world(type(tmp_path)("~nobody-of-that-name"))


class Blind:
    """Builds no population."""

    def build(self, seed, data_root):
        return 3


def test_a_population_of_somebody_else_must_be_one():
    with pytest.raises(ConfigError, match=r"population should build a horae\.Population, got 'int'"):
        load({}).with_objects({"population": Blind()}).world()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(4, 2), r"model should take samples of shape \(3,\): mat1 and mat2 shapes cannot be multiplied"),
        (
            nn.Linear(3, 1),
            r"model should answer one sample with at least 2 numbers, one per class: \(1, 2\), got \(1, 1\)",
        ),
        (nn.Flatten(), "model should have a parameter to train, got 0; set requires_grad"),
        (nn.Linear(3, 2).double(), r"the model's weight should be float32, got torch\.float64; call module\.float"),
        (nn.Sequential(nn.Linear(3, 2), nn.Unflatten(1, (2, 1))), r"got \(1, 2, 1\)"),
        (nn.LazyLinear(2), r"model should take samples of shape \(3,\): "),
    ],
)
def test_a_module_that_does_not_fit_the_samples_is_refused(module, message):
    with pytest.raises(ConfigError, match=message):
        load({"participants": 4}).world(people=people(), module=module)


def test_looking_at_a_module_leaves_it_as_it_was():
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2))
    module[1].eval()
    before, state = [part.training for part in module.modules()], torch.get_rng_state()
    buffers = [buffer.clone() for buffer in module.buffers()]
    check_module(module, torch.zeros(1, 3), torch.zeros(1, dtype=torch.int64), 2)
    assert [part.training for part in module.modules()] == before == [True, True, False, True, True]
    assert all((a == b).all() for a, b in zip(buffers, module.buffers(), strict=True))
    assert (torch.get_rng_state() == state).all()


def test_batches_are_counted_by_steps_or_by_epochs():
    # 4 clients x 5 steps x batches of 10 are far below 2^30; 4 x 17 x (2^24 - 1) are a little above
    check_batches(Training(), 9, 4)
    with pytest.raises(ConfigError, match="<= 1,073,741,824"):
        check_batches(Training(batch=2**24 - 1, steps=17), 9, 4)
    # 9 samples in batches of 2^20 are one step an epoch: 2 x 100 x 2^20 are below, 4 x 1000 x 2^20 above
    check_batches(Training(epochs=100, batch=2**20), 9, 2)
    with pytest.raises(ConfigError, match="got 4194304000; lower"):
        check_batches(Training(epochs=1000, batch=2**20), 9, 4)


def test_a_lack_of_memory_is_said_and_other_trouble_is_not_hidden():
    with (
        pytest.raises(ConfigError, match="model should fit into memory: 300 GiB; make it smaller"),
        affordable("model", "make it smaller"),
    ):
        raise MemoryError("300 GiB")
    with pytest.raises(ConfigError, match="should fit"), affordable("model", "make it smaller"):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
    with pytest.raises(RuntimeError, match="something else"), affordable("model", "make it smaller"):
        raise RuntimeError("something else")


# ---------------------------------------------------------------- objects from Python


def test_objects_must_fit_their_family():
    made = load({})
    with pytest.raises(
        ConfigError, match="algorithm should have the methods init, correction, weigh, step, got 'Single'"
    ):
        made.with_objects({"algorithm": Single()})
    with pytest.raises(ConfigError, match="budget should be a Budget, got 'Training'"):
        made.with_objects({"budget": Training()})
    assert made.with_objects({"clustering": Oracle()}).clustered == "oracle"
