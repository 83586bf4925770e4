"""GroupNorm, pool and ReLU in one pass, against torch's own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import group_norm, max_pool2d

from horae.training import conv_kernel
from horae.training.conv_kernel import compiled, norm, norm_back, squeeze, unsqueeze

pytestmark = pytest.mark.skipif(compiled() is None, reason="no C compiler")


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.integers(1, 3), st.integers(2, 9), st.integers(2, 9), st.sampled_from([(0, 5), (1, 3), (2, 16), (3, 33)]),
    st.booleans(), st.integers(0, 999),
)  # fmt: skip
def test_both_ways_are_torchs(n, h, w, channels, relu, seed):
    """Rounded numbers, so that many are alike: the first of the largest is picked."""
    groups, c = channels
    rng = np.random.default_rng(seed)
    x = torch.tensor(rng.normal(size=(n, c, h, w)).round(1), dtype=torch.float32, requires_grad=True)
    gamma, beta = (torch.tensor(rng.normal(size=c), dtype=torch.float32, requires_grad=True) for _ in range(2))
    given = [x, gamma, beta] if groups else [x]
    out = max_pool2d(group_norm(x, groups, gamma, beta) if groups else x, 2)
    out = out.relu() if relu else out
    back = torch.tensor(rng.normal(size=tuple(out.shape)), dtype=torch.float32)
    expected = torch.autograd.grad(out, given, back)
    with torch.no_grad():
        wide, norm = x.permute(0, 2, 3, 1).contiguous(), (gamma, beta) if groups else None
        found, pick, moments = squeeze(wide, groups, norm, 1e-5, relu)
        slopes = unsqueeze(back.permute(0, 2, 3, 1).contiguous(), wide, pick, moments, gamma if groups else None)
    np.testing.assert_allclose(found.permute(0, 3, 1, 2), out.detach(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(slopes[0].permute(0, 3, 1, 2), expected[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(slopes[3], expected[0].sum((0, 2, 3)), rtol=1e-3, atol=1e-3)
    for mine, theirs in zip(slopes[1:3], expected[1:], strict=False):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("groups", "c", "h", "w"), [(1, 3, 1, 2), (2, 16, 4, 4), (3, 33, 7, 5), (32, 64, 3, 1), (8, 8, 9, 9)]
)
def test_a_norm_alone_is_torchs(groups, c, h, w):
    rng = np.random.default_rng(c)
    x, gamma, beta = (
        torch.tensor(rng.normal(3, 1, size=size), dtype=torch.float32, requires_grad=True)
        for size in ((5, c, h, w), (c,), (c,))
    )
    y = group_norm(x, groups, gamma, beta, 1e-3)
    back = torch.tensor(rng.normal(size=tuple(y.shape)), dtype=torch.float32)
    expected = torch.autograd.grad(y, (x, gamma, beta), back)
    with torch.no_grad():
        wide = x.permute(0, 2, 3, 1).contiguous()
        found, moments = norm(wide, groups, gamma, beta, 1e-3)
        dx, *others = norm_back(back.permute(0, 2, 3, 1).contiguous(), wide, moments, gamma)
    np.testing.assert_allclose(found.permute(0, 3, 1, 2), y.detach(), rtol=1e-4, atol=1e-4)
    for mine, theirs in zip((dx.permute(0, 3, 1, 2), *others), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)


def test_what_is_not_a_number_stays_so():
    x = torch.tensor([[1.0, float("nan")], [3.0, 2.0]]).view(1, 2, 2, 1)
    out, _, _ = squeeze(x, 0, None, 0.0, True)
    assert out.isnan().all()


def test_no_compiler_and_a_wrong_one(monkeypatch):
    class Wrong:
        def forward(self, *_):
            pass

        backward = forward

    monkeypatch.setenv("CC", "none")
    assert conv_kernel.compiled.__wrapped__() is None
    assert not conv_kernel._agrees(Wrong())
