"""Hugging Face data sets on disk: with the package where it is installed, else with one like it."""

import sys
import types

import numpy as np
import pytest
from PIL import Image
from refusing import refused

from horae.population.readers.hf import HuggingFace

COLUMNS = {
    "image": [Image.new("RGB", (4, 4), (i, 0, 9)) for i in range(4)],
    "label": [0, 1, 1, 0],
    "client_id": ["a", "b", "a", "b"],
}


class Split:
    """What is asked of a datasets.Dataset."""

    def __init__(self, columns):
        self._columns = columns

    @property
    def column_names(self):
        return list(self._columns)

    def __getitem__(self, name):
        return self._columns[name]


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """`saved(what)` is what load_from_disk hands back."""
    (tmp_path / "hf").mkdir()
    module = types.ModuleType("datasets")
    monkeypatch.setitem(sys.modules, "datasets", module)

    def say(what):
        def load(path):
            assert path == str(tmp_path / "hf")
            if isinstance(what, Exception):
                raise what
            return what

        module.load_from_disk = load

    return say


def test_images_become_planes_of_bytes(saved, tmp_path):
    saved(Split(COLUMNS))
    people = HuggingFace(test_fraction=0).build(0, tmp_path)
    assert people.x.shape == (4, 3, 4, 4)
    assert people.x[:, :, 0, 0].tolist() == [[i, 0, 9] for i in range(4)]
    assert people.scale == 1 / 255
    assert people.train.row(1).tolist() == [1, 3]


def test_the_test_split_is_set_aside_and_columns_have_names(saved, tmp_path):
    texts = {"text": ["a b", "c", "d"], "stars": [0.5, 1.5, 2.0], "who": [7, 8, 7]}
    test = {"text": ["e"], "stars": [3.0], "who": [8]}
    saved({"train": Split(texts), "test": Split(test)})
    people = HuggingFace(x="text", y="stars", client="who").build(0, tmp_path)
    assert people.task == "regression"
    assert people.x.dtype == np.int32
    assert people.test.row(1).tolist() == [3]


def test_what_is_wrong_is_one_line(saved, tmp_path, monkeypatch):
    with refused("none is missing; put what datasets' save_to_disk wrote there"):
        HuggingFace(directory="none").build(0, tmp_path)
    saved(Split({"x": [1]}))
    with refused("has no column 'image', but x; set x, y and client"):
        HuggingFace().build(0, tmp_path)
    saved(FileNotFoundError("Directory is neither\na Dataset nor a DatasetDict"))
    with refused("is no data set that save_to_disk left (Directory is neither a Dataset"):
        HuggingFace().build(0, tmp_path)
    saved(Split({**COLUMNS, "image": [Image.new("L", (i + 1, 4)) for i in range(4)]}))
    with refused("x should hold samples of one shape"):
        HuggingFace().build(0, tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with refused("needs datasets: pip install datasets"):
        HuggingFace().build(0, tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_the_real_package(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    whole = datasets.Dataset.from_dict(COLUMNS, features=None)
    datasets.DatasetDict({"train": whole, "test": whole.select([0, 1])}).save_to_disk(str(tmp_path / "hf"))
    people = HuggingFace().build(0, tmp_path)
    assert people.x.shape == (6, 3, 4, 4)
    assert people.test.sizes.tolist() == [1, 1]
    assert people.train.row(0).tolist() == [0, 2]
