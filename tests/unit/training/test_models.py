"""The networks an experiment can name."""

import pytest
import torch

from horae.errors import ConfigError
from horae.training import MODELS, Cnn, Logistic, Mlp, initial
from horae.training.flops import counted_flops, forward_flops

OTHERS = {"sparse-logistic", "char-lstm", "albert", "module", "torchvision", "timm"}  # not of images, or not ours


@pytest.mark.parametrize("name", [name for name in MODELS if name not in OTHERS])
@pytest.mark.parametrize("shape", [(8, 8), (1, 28, 28), (3, 9, 11)])
def test_every_model_maps_every_image_to_logits(name, shape, monkeypatch):
    monkeypatch.setattr("horae.training.models.resnet.WIDTHS", (32, 64, 96, 128))  # narrow, and so quick
    assert initial(MODELS[name](), shape, 10, seed=0)(torch.zeros(3, *shape)).shape == (3, 10)


def test_a_seed_gives_one_model_and_leaves_the_global_state_alone():
    before = torch.random.get_rng_state()
    one, same, other = (initial(Logistic(), (4,), 3, seed)[1].weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_widths_may_come_as_lists_since_toml_has_no_tuples():
    assert Mlp(hidden=[8, 4]) == Mlp(hidden=(8, 4))
    assert Mlp(hidden=[]).build((4,), 3)(torch.zeros(1, 4)).shape == (1, 3)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Mlp(hidden=(0,)), r"model.hidden should be a list of whole numbers >= 1, got \(0,\)"),
        (lambda: Mlp(hidden=64), "model.hidden should be a list"),
        (lambda: Cnn(channels=()), "model.channels should name at least one stage"),
        (lambda: Cnn(groups=0), "model.groups should be a whole number >= 1, got 0"),
        (lambda: Cnn(channels=(16, 30)), r"model.groups should divide each of model.channels \(16, 30\), got 4"),
        (lambda: Cnn().build((64,), 10), r"the sample shape should be \(h, w\) .* use mlp or logistic"),
        (
            lambda: Cnn(channels=(4, 4, 4)).build((4, 5), 10),
            "model.channels should have at most 2 stages for 4x5 images",
        ),
        (lambda: initial(Logistic(), (4,), 0, 0), "the number of classes should be a whole number >= 1, got 0"),
    ],
)
def test_what_cannot_be_built_is_refused(make, says):
    with pytest.raises(ConfigError, match=says):
        make()


def test_flops_by_hand():
    assert forward_flops(Logistic().build((8, 8), 10), torch.zeros(1, 8, 8)) == 2 * 64 * 10 == 1280
    assert forward_flops(Mlp((64,)).build((64,), 10), torch.zeros(1, 64)) == 2 * (64 * 64 + 64 * 10)
    # 8x8 through 9 x 1 x 4 taps, then 4x4x4 pixels to 10 logits
    assert forward_flops(Cnn(channels=(4,)).build((8, 8), 10), torch.zeros(1, 8, 8)) == 2 * (64 * 9 * 4 + 4 * 16 * 10)


@pytest.mark.parametrize("model", [Logistic(), Mlp((5, 7))])
def test_flops_by_hand_are_those_counted(model):
    module = model.build((3, 3), 4)
    assert forward_flops(module, torch.zeros(1, 3, 3)) == counted_flops(module, torch.zeros(1, 3, 3))


def test_counting_flops_leaves_the_module_in_its_mode():
    module = Cnn().build((8, 8), 2)
    counted_flops(module, torch.zeros(1, 8, 8))
    assert module.training
    counted_flops(module.eval(), torch.zeros(1, 8, 8))
    assert not module.training
