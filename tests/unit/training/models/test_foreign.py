"""Models of somebody else: by path, and from packages that may not be there."""

import sys
import types

import pytest
import torch
from torch import nn

from horae.errors import ConfigError
from horae.training.models import MODELS


class Mine(nn.Module):
    """A user's own class."""

    def __init__(self, shape, classes):
        super().__init__()
        self.head = nn.Linear(shape[0], classes)

    def forward(self, x):
        return self.head(x)


def broken(shape, classes):
    raise RuntimeError("no such\nlayer")


@pytest.fixture
def mine(monkeypatch):
    module = types.ModuleType("mypkg")
    vars(module).update(
        build=lambda s, k: nn.Linear(s[0], k), Mine=Mine, broken=broken, number=3, text=lambda s, k: "x"
    )
    monkeypatch.setitem(sys.modules, "mypkg", module)


@pytest.mark.parametrize("path", ["mypkg:build", "mypkg:Mine"])
def test_a_function_or_a_class_by_path(mine, path):
    assert MODELS["module"](path).build((4,), 3)(torch.zeros(2, 4)).shape == (2, 3)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "model.path should look like package.module:name, got ''"),
        ("mypkg", "model.path should look like package.module:name, got 'mypkg'"),
        ("mypkg:nothing", "model.path: cannot import 'mypkg:nothing'"),
        ("nowhere:build", "model.path: cannot import 'nowhere:build'"),
        ("mypkg:number", "model.path should name something that can be called, got 'mypkg:number'"),
        ("mypkg:broken", r"model.path 'mypkg:broken' cannot be made \(RuntimeError: no such layer\)"),
        ("mypkg:text", "model.path 'mypkg:text' should make an nn.Module, got 'str'"),
    ],
)
def test_what_a_path_cannot_be(mine, path, says):
    with pytest.raises(ConfigError, match=says) as caught:
        MODELS["module"](path).build((4,), 3)
    assert "\n" not in str(caught.value)


def fake(monkeypatch, package, maker):
    """A package of that name, whose maker notes what it was asked."""
    asked = {}

    def make(name, **options):
        if name == "nothing":
            raise ValueError("Unknown model nothing")
        asked.update(options, name=name)
        planes = options.get("in_chans", 3)
        return nn.Sequential(nn.Conv2d(planes, 4, 3), nn.Flatten(), nn.LazyLinear(options["num_classes"]))

    for name in (package, f"{package}.models"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    setattr(sys.modules[package], "models", sys.modules[f"{package}.models"])  # noqa: B010
    setattr(sys.modules[f"{package}.models" if package == "torchvision" else package], maker, make)
    return asked


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (3, 8, 8)])
def test_torchvision_by_name(monkeypatch, shape):
    asked = fake(monkeypatch, "torchvision", "get_model")
    module = MODELS["torchvision"]("mobilenet_v2", ("width_mult=0.5", "norm=mine")).build(shape, 7)
    assert module(torch.zeros(2, *shape)).shape == (2, 7)
    assert asked == {
        "name": "mobilenet_v2", "num_classes": 7, "weights": None, "width_mult": 0.5, "norm": "mine"
    }  # fmt: skip


@pytest.mark.parametrize("shape", [(8, 8), (5, 8, 8)])
def test_timm_by_name(monkeypatch, shape):
    asked = fake(monkeypatch, "timm", "create_model")
    module = MODELS["timm"]("resnet10t").build(shape, 7)
    assert module(torch.zeros(2, *shape)).shape == (2, 7)
    planes = 5 if len(shape) == 3 else 1
    assert asked == {"name": "resnet10t", "num_classes": 7, "pretrained": False, "in_chans": planes}


@pytest.mark.parametrize(("package", "maker"), [("torchvision", "get_model"), ("timm", "create_model")])
def test_what_a_package_refuses_is_one_line(monkeypatch, package, maker):
    fake(monkeypatch, package, maker)
    with pytest.raises(ConfigError, match=f"{package}'s 'nothing' cannot be made .*Unknown model nothing"):
        MODELS[package]("nothing").build((3, 8, 8), 7)


@pytest.mark.parametrize("package", ["torchvision", "timm"])
def test_a_package_that_is_not_there_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=f"model.name '{package}' needs {package}.*pip install {package}") as caught:
        MODELS[package]().build((3, 8, 8), 7)
    assert len(str(caught.value)) < 300


def test_options_are_texts_with_a_value():
    assert MODELS["timm"](options=["a=1"]) == MODELS["timm"](options=("a=1",))
    with pytest.raises(ConfigError, match=r"model.options should be a list of texts"):
        MODELS["timm"](options=["a"])
    with pytest.raises(ConfigError, match="the sample shape should have 1 or 3 channels for torchvision"):
        MODELS["torchvision"]().build((5, 8, 8), 7)
