"""Who trains on which images; digits as large as MNIST's; what is absent."""

import numpy as np
import pytest

from horae.errors import ConfigError, DataError
from horae.population.datasets import digits
from horae.proxyfloxy.samples import check_samples, held, load


def test_digits_are_28_by_28():
    images = load("digits", 0)
    assert images.x.shape == (1797, 28, 28) and images.x.min() >= 0 and images.x.max() == 1
    assert (images.x[:, 2:26:3, 2:26:3] == digits().x).all()  # one pixel of each square of nine
    assert images.x[:, :2].sum() == images.x[:, :, 26:].sum() == 0
    assert (len(images.train), len(images.test)) == (1438, 359) and not set(images.train) & set(images.test)


def test_everybody_has_their_own():
    images = load("digits", 0)
    rows = [held(images, i, 4, 100, 0, 0) for i in range(4)]
    assert len(np.unique(np.concatenate(rows))) == 400
    assert set(np.concatenate(rows)) <= set(images.train)
    assert (held(images, 2, 4, 100, 0, 0) == rows[2]).all()
    assert (held(images, 2, 4, 100, 0, 1) != rows[2]).any()
    x, y = images.at(rows[0])
    assert x.dtype == np.float32 and y.dtype == np.int64 and len(x) == len(y) == 100


def test_too_many():
    images = load("digits", 0)
    check_samples(images, 4, 359)
    with pytest.raises(ConfigError, match="--samples should be at most 359 for 4 endpoints, got 360; lower it"):
        check_samples(images, 4, 360)
    with pytest.raises(ConfigError, match="at least 1"):
        check_samples(images, 4, 0)


def test_what_is_absent(tmp_path, monkeypatch):
    monkeypatch.setenv("HORAE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"mnist_writers\.npz is missing; put it there") as refused:
        load("mnist", 0)
    assert "\n" not in str(refused.value)
    monkeypatch.setattr("horae.population.readers.idx.DEBIAN", tmp_path)
    monkeypatch.setattr("horae.population.named.fashion.DEBIAN", tmp_path)
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
        load("fashion_mnist", 0)
    with pytest.raises(ConfigError, match="--data-name should be one of digits, mnist, fashion_mnist, got 'minst'"):
        load("minst", 0)


def test_mnist_from_its_file(tmp_path):
    rng = np.random.default_rng(0)
    n = 70
    np.savez(
        tmp_path / "mnist_writers.npz",
        x=rng.integers(0, 256, (n, 28, 28), np.uint8),
        y=np.arange(n) % 10,
        writer=np.arange(n) // 7,
        hsf=np.zeros(n, np.int64),
    )
    images = load("mnist", 0, tmp_path)
    assert (len(images.train), len(images.test)) == (60, 10)
    x, _ = images.at(images.train[:5])
    assert x.dtype == np.float32 and x.max() <= 1 and (np.rint(x * 255) == images.x[images.train[:5]]).all()
