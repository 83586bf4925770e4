"""GroupNorm that is refused where it is void, and BatchNorm whose statistics are averaged and never optimised."""

import numpy as np
import pytest
import torch
from torch import nn

import horae
from horae.errors import ConfigError, RunError
from horae.population import Population
from horae.training import MODELS, Trainer, Training, Work
from horae.training.models.norms import SteadyBatchNorm2d

RNG = np.random.default_rng(0)
SIZES = (6, 2)
DATA = [(RNG.normal(i + 1, 2.0, (n, 1, 2, 2)).astype(np.float32), np.arange(n) % 2) for i, n in enumerate(SIZES)]
ONCE = Training(lr=0.5, steps=1, batch=100)  # one step on everything a client holds
TABLE = {
    "participants": 2, "overcommit": 1.0, "baseline": "none", "budget": {"participations": 2},
    "training": {"lr": 0.5, "steps": 1, "batch": 100}, "clustering": {"name": "single"},
    "availability": {"name": "always"},
}  # fmt: skip


def normed() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(SteadyBatchNorm2d(1), nn.Flatten(), nn.Linear(4, 2))


def trained(module, training=ONCE, data=DATA):
    x, y = (np.concatenate(part) for part in zip(*data, strict=True))
    ends = np.cumsum([len(labels) for _, labels in data])
    rows = [np.arange(end - len(labels), end) for end, (_, labels) in zip(ends, data, strict=True)]
    trainer = Trainer(module, training, x, y, seed=0)
    work = Work(trainer.initial_params, trainer.initial_buffers, np.arange(len(data)), rows, round=0)
    return trainer, trainer.train(work), rows


def statistics(x):
    """What BatchNorm keeps after one batch: 0.9 of (0, 1) and 0.1 of the batch's mean and unbiased variance."""
    return np.array([0.1 * x.mean(), 0.9 + 0.1 * x.var(ddof=1)])


def test_statistics_move_client_by_client():
    trainer, done, _ = trained(normed())
    assert trainer.initial_buffers.tolist() == [0, 1]
    assert done.buffers.shape == (2, 2)
    for (x, _), found in zip(DATA, done.buffers, strict=True):
        np.testing.assert_allclose(found, statistics(x), rtol=1e-5)
    assert trainer.n_params == 2 + 4 * 2 + 2  # and no statistic among them


def test_counters_stay_in_the_module():
    trainer, _, _ = trained(normed())
    assert int(trainer.module[0].num_batches_tracked) == 0


def test_evaluation_uses_the_statistics_it_is_given():
    trainer, _, rows = trained(normed())
    _, _, plain = trainer.evaluate(trainer.initial_params, trainer.initial_buffers, rows)
    _, _, moved = trainer.evaluate(trainer.initial_params, np.array([5, 9], np.float32), rows)
    weight, bias = (p.detach().numpy() for p in list(trainer.module.parameters())[2:])
    for buffers, losses in (((0, 1), plain), ((5, 9), moved)):
        for (x, y), loss in zip(DATA, losses, strict=True):
            logits = ((x.reshape(-1, 4) - buffers[0]) / np.sqrt(buffers[1] + 1e-5)) @ weight.T + bias
            each = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(y)), y]
            assert loss == pytest.approx(each.mean(), rel=1e-4)


@pytest.mark.parametrize("algorithm", ["fedavg", "fedyogi"])
def test_a_round_averages_them_by_samples_whatever_the_server_optimises(algorithm, tmp_path):
    people = Population.from_arrays(DATA, test_fraction=0.2)
    result = horae.run(
        {**TABLE, "algorithm": {"name": algorithm}}, population=people, model=normed(), out=tmp_path / "run"
    )
    (root,) = result.tree.leaves()
    own = [people.train.row(i) for i in range(2)]
    assert [rows.size for rows in own] == [5, 2]
    expected = sum(rows.size * statistics(people.x[rows]) for rows in own) / 7
    np.testing.assert_allclose(root.buffers, expected, rtol=1e-5)


def test_a_client_with_one_value_per_channel_trains_on_the_running_statistics():
    one = [(np.full((1, 1, 1, 1), 3, np.float32), np.array([1]))]
    module = nn.Sequential(SteadyBatchNorm2d(1), nn.Flatten(), nn.Linear(1, 2))
    trainer, done, _ = trained(module, data=one)
    assert done.buffers.tolist() == [trainer.initial_buffers.tolist()]
    assert np.abs(done.updates).max() > 0
    assert np.isfinite(done.updates).all()


def test_somebody_elses_batchnorm_ends_the_run_with_one_line(tmp_path):
    people = Population.from_arrays([(np.zeros((1, 1, 1, 1), np.float32), np.array([1]))] * 2, test_fraction=0)
    module = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(1, 2))
    with pytest.raises(RunError, match=r"failed 3 times .*Expected more than 1 value per channel when training"):
        horae.run(TABLE, population=people, model=module, out=tmp_path / "run")


def test_elsewhere_it_is_plain_batchnorm():
    plain, ours, x = nn.BatchNorm2d(3), SteadyBatchNorm2d(3), torch.randn(2, 3, 1, 1)
    assert torch.equal(plain(x), ours(x))
    assert torch.equal(plain.running_var, ours.running_var)
    assert torch.equal(plain.eval()(x[:1]), ours.eval()(x[:1]))


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2", "shufflenetv2"])
@pytest.mark.parametrize("norm", ["group", "batch"])
def test_one_sample_shrunk_to_a_pixel_still_trains(name, norm, monkeypatch):
    monkeypatch.setattr("horae.training.models.resnet.WIDTHS", (32, 64, 96, 128))  # narrow, and so quick
    data = [(RNG.normal(size=(1, 8, 8)).astype(np.float32), np.array([1]))]
    _, done, _ = trained(MODELS[name](norm=norm).build((8, 8), 2), Training(lr=0.01, steps=2, batch=1), data)
    assert np.isfinite(done.updates).all()
    assert done.losses[0] > 0


@pytest.mark.parametrize(
    ("name", "fields", "shape", "says"),
    [
        ("resnet18", {"norm": "layer"}, (8, 8), "model.norm should be one of group, batch, got 'layer'"),
        ("resnet18", {"stem": "mnist"}, (8, 8), "model.stem should be one of imagenet, cifar, got 'mnist'"),
        ("resnet34", {"groups": 48}, (8, 8), "model.groups should divide 64, as every width of this model does"),
        ("mobilenetv2", {"groups": 0}, (8, 8), "model.groups should be a whole number >= 1, got 0"),
        ("mobilenetv2", {"width": 0.01}, (8, 8), r"model.width should be in \[0.1, 4\], got 0.01"),
        ("mobilenetv2", {"width": 0.1}, (8, 8), "model.groups should leave more than one number to a group"),
        ("shufflenetv2", {"groups": 4}, (8, 8), "model.groups should divide 2"),
        ("shufflenetv2", {"width": 0.7}, (8, 8), "model.width should be one of 0.5, 1.0, 1.5, 2.0, got 0.7"),
        ("resnet18", {}, (64,), r"the sample shape should be \(h, w\) or \(c, h, w\) for a resnet"),
        ("resnet18", {}, (2**30, 8, 8), "the samples should make at most"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(name, fields, shape, says):
    with pytest.raises(ConfigError, match=says):
        MODELS[name](**fields).build(shape, 10)


def test_groups_do_not_matter_with_batchnorm():
    assert MODELS["resnet18"](norm="batch", groups=48)
