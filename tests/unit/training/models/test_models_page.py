"""docs/models.md: every model is there, with its size."""

import re
from pathlib import Path

import pytest
import torch

from horae.training import MODELS
from horae.training.flops import forward_flops

PAGE = (Path(__file__).parents[4] / "docs" / "models.md").read_text(encoding="utf-8")
ROWS = {
    cells[0].strip("` "): [cell.strip() for cell in cells[1:]]
    for line in PAGE.splitlines()
    if line.startswith("| `")
    for cells in [line.strip("|").split("|")]
}
LARGE, SMALL = ((3, 224, 224), 1000), ((28, 28), 10)
AT = {
    "logistic": SMALL, "sparse-logistic": ((64,), 5), "mlp": SMALL, "cnn": SMALL, "leaf-cnn": ((28, 28), 62),
    "two-cnn": SMALL, "autoflip-cnn": ((3, 24, 24), 10), "resnet18": LARGE, "resnet34": LARGE,
    "mobilenetv2": LARGE, "shufflenetv2": LARGE,
    "char-lstm": ((80,), 80), "albert": ((80,), 80),
}  # fmt: skip


def test_every_model_has_a_row():
    assert list(ROWS) == list(MODELS)


@pytest.mark.parametrize("name", AT)
def test_the_row_says_its_size(name):
    shape, classes = AT[name]
    whole = ROWS[name][0].startswith("int64")
    with torch.device("cpu" if whole else "meta"):  # shapes without numbers take no time
        module = MODELS[name](**({"hidden": (200, 200)} if name == "mlp" else {})).build(shape, classes)
        sample = torch.zeros(1, *shape, dtype=torch.int64 if whole else torch.float32)
    found = [sum(p.numel() for p in module.parameters()), forward_flops(module, sample)]
    assert ROWS[name][2:4] == [f"{number:,}" for number in found]
    written = re.findall(r"\d+", ROWS[name][1].replace(",", ""))
    assert {str(size) for size in shape} <= set(written), "the page names the shape"


def test_the_block_runs():
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(block, {"__name__": "block"})
