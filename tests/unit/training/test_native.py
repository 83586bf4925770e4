"""The compiled kernel: made once, kept apart by processor, and left alone where it is not to be trusted."""

import numpy as np
import pytest
import torch
from torch import nn

from horae.training import Trainer, Training, Work, compiling, native
from horae.training.layout import Layout
from horae.training.native import Padding, compiled
from horae.training.stack import affine_stack

needs_compiler = pytest.mark.skipif(compiled() is None, reason="there is no C compiler here")


def test_weights_lie_in_rows_of_whole_vectors():
    module = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2, bias=False))
    padding = Padding.of(affine_stack(module, (3,)), Layout.of_params(module))
    # 3 inputs in 4 rows of 16, a bias of 16; then 5 inputs in 8 rows of 16, and room for a bias
    assert padding.layers == ((3, 5, 1, 1, 16, 0, 64), (5, 2, 0, 0, 16, 80, 208))
    assert padding.size == 224
    flat = np.arange(1, 31, dtype=np.float32)  # 15 weights, 5 biases, 10 weights
    padded = padding.into(flat)
    assert padded[:5].tolist() == [1, 4, 7, 10, 13]  # of the first input
    assert padded[16:21].tolist() == [2, 5, 8, 11, 14]
    assert padded[64:69].tolist() == [16, 17, 18, 19, 20]
    assert padded[80:82].tolist() == [21, 26]
    assert padded.sum() == flat.sum()


@needs_compiler
def test_one_step_by_hand():
    """At w = 0 both classes have probability ½: where 0 is right its gradient is -½ x, and that of 1 is ½ x."""
    module = nn.Sequential(nn.Linear(2, 2))
    nn.init.zeros_(module[0].weight), nn.init.zeros_(module[0].bias)
    x, y = np.array([[4.0, -2.0]], np.float32), np.array([0])
    trainer = Trainer(module, Training(steps=1, batch=1, lr=0.5, path="native"), x, y, 0)
    done = trainer.train(Work(trainer.initial_params, trainer.initial_buffers, np.array([3]), [np.array([0])], 0))
    np.testing.assert_allclose(done.updates, [[1.0, -0.5, -1.0, 0.5, 0.25, -0.25]], rtol=1e-6)
    assert done.losses[0] == pytest.approx(np.log(2), rel=1e-6)


@needs_compiler
@pytest.mark.parametrize("scale", [1.0, 60.0, 1e4])
def test_large_logits_do_not_overflow(scale):
    rng = np.random.default_rng(0)
    x, y = (scale * rng.normal(size=(50, 20))).astype(np.float32), rng.integers(0, 7, 50)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(20, 7))
    found = []
    for path in ("native", "dense"):
        trainer = Trainer(module, Training(steps=1, batch=50, lr=1e-3, path=path), x, y, 0)
        found.append(
            trainer.train(Work(trainer.initial_params, trainer.initial_buffers, np.arange(1), [np.arange(50)], 0))
        )
    np.testing.assert_allclose(found[0].updates, found[1].updates, rtol=1e-4, atol=1e-6 * scale)
    np.testing.assert_allclose(found[0].losses, found[1].losses, rtol=1e-5)


@needs_compiler
@pytest.mark.parametrize("path", ["native", "dense"])
def test_a_client_that_diverges_is_not_finite_and_alone_in_that(path):
    x, y = np.ones((4, 3), np.float32), np.array([0, 1, 0, 1])
    x[2:] = 3e38
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))
    trainer = Trainer(module, Training(steps=4, batch=2, lr=100.0, path=path, chunk=1), x, y, 0)
    rows = [np.array([0, 1]), np.array([2, 3])]
    done = trainer.train(Work(trainer.initial_params, trainer.initial_buffers, np.arange(2), rows, 0))
    assert np.isfinite(done.updates[0]).all()
    assert not np.isfinite(done.updates[1]).all()


def test_without_a_compiler_there_is_no_kernel(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    assert compiled.__wrapped__() is None
    monkeypatch.setenv("CC", "false")  # takes no flags at all
    assert compiled.__wrapped__() is None
    assert list(tmp_path.rglob("*.so")) == []


@needs_compiler
def test_it_is_compiled_once_and_again_for_another_source_or_processor(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compiled.__wrapped__() is not None
    (file,) = tmp_path.rglob("*.so")
    made = file.stat().st_mtime_ns
    assert compiled.__wrapped__() is not None
    assert file.stat().st_mtime_ns == made
    monkeypatch.setattr(compiling, "_processor", lambda: b"another one")
    assert compiled.__wrapped__() is not None
    assert len(list(tmp_path.rglob("*.so"))) == 2


@needs_compiler
def test_a_kernel_that_computes_something_else_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wrong = tmp_path / "kernel.c"
    wrong.write_text(native.SOURCE.read_text().replace("error[k] *= -how->lr", "error[k] *= -2.0f * how->lr"))
    monkeypatch.setattr(native, "SOURCE", wrong)
    assert compiled.__wrapped__() is None
