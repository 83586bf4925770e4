"""Convolutions by `direct.c`, against torch's own."""

import ctypes

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from horae.training import conv_direct
from horae.training.conv_direct import Shape, compiled, convolve, convolve_back

pytestmark = pytest.mark.skipif(compiled() is None, reason="no C compiler")


def same_both_ways(n, h, w, c, out, kernel, stride, padding, bias=True, seed=0, apart=False):
    """Numbers of both ways, beside torch's in float64. apart: each plane by itself, out = c."""
    rng = np.random.default_rng(seed)
    x, k, b = (
        torch.tensor(rng.normal(size=size), dtype=torch.float64, requires_grad=True)
        for size in ((n, c, h, w), (out, 1 if apart else c, *kernel), (out,))
    )
    y = torch.conv2d(x, k, b if bias else None, stride, padding, 1, c if apart else 1)
    back = torch.tensor(rng.normal(size=tuple(y.shape)), dtype=torch.float64)
    dx, dk = torch.autograd.grad(y, (x, k), back)
    with torch.no_grad():
        wide, own, slopes = x.float().permute(0, 2, 3, 1).contiguous(), k.float().contiguous(), k.float() * float("nan")
        found = convolve(wide, own, b.float() if bias else None, stride, padding, apart)
        given = (back.float().permute(0, 2, 3, 1).contiguous(), wide, own, (stride, padding, apart), slopes)
        down = convolve_back(*given, first=False)
    close = {"rtol": 1e-4, "atol": 1e-5 * (c * out * kernel[0] * kernel[1] * n) ** 0.5}
    np.testing.assert_allclose(found.permute(0, 3, 1, 2), y.detach(), **close)
    np.testing.assert_allclose(slopes, dk, **close)
    np.testing.assert_allclose(down.permute(0, 3, 1, 2), dx, **close)
    again = slopes * float("nan")
    assert convolve_back(*given[:-1], again, first=True) is None
    assert torch.equal(again, slopes)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(
    st.integers(1, 17), st.integers(1, 17), st.integers(1, 17), st.sampled_from([1, 2, 3, 4, 5, 8, 16, 33]),
    st.sampled_from([1, 5, 15, 16, 17, 32, 40]), st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)), st.tuples(st.integers(0, 6), st.integers(0, 6)), st.booleans(),
    st.integers(0, 99),
)  # fmt: skip
def test_both_ways_are_torchs(n, h, w, c, out, kernel, stride, padding, bias, seed):
    assume(padding[0] < kernel[0] <= h + 2 * padding[0] and padding[1] < kernel[1] <= w + 2 * padding[1])
    same_both_ways(n, h, w, c, out, kernel, stride, padding, bias, seed)
    same_both_ways(n, h, w, out, out, kernel, stride, padding, bias, seed, apart=True)


@pytest.mark.parametrize(
    "case",
    [
        (20, 14, 14, 32, 64, (5, 5), (1, 1), (2, 2)),  # LEAF's second
        (20, 28, 28, 1, 32, (5, 5), (1, 1), (2, 2)),  # and its first
        (20, 2, 2, 64, 128, (3, 3), (1, 1), (1, 1)),  # narrow: the last stages of a ResNet
        (20, 7, 7, 64, 128, (3, 3), (2, 2), (1, 1)),
        (20, 1, 1, 96, 96, (1, 1), (1, 1), (0, 0)),
        (6, 28, 28, 3, 64, (7, 7), (2, 2), (3, 3)),  # ImageNet's stem
        (1, 40, 9, 20, 24, (1, 7), (1, 1), (0, 3)),  # long and narrow, one sample
        (30, 9, 9, 7, 9, (3, 3), (1, 1), (1, 1)),  # more samples than a block
    ],
)
def test_shapes_that_networks_have(case):
    same_both_ways(*case)


def test_by_hand():
    # two samples of 1, 2, 3 and 4, 5, 6; two channels: the number itself, and its right neighbour less its left one
    x, k = torch.arange(1.0, 7).view(2, 1, 3, 1), torch.tensor([[0.0, 1, 0], [-1, 0, 1]]).view(2, 1, 1, 3)
    y = convolve(x, k, torch.tensor([0.0, 10]), (1, 1), (0, 1))
    assert y[:, 0, :, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert y[:, 0, :, 1].tolist() == [[12, 12, 8], [15, 12, 5]]
    slopes, back = torch.empty(2, 1, 1, 3), torch.zeros(2, 1, 3, 2)
    back[0, 0, 2, 1] = 1  # the last of the first sample: it saw 2, 3 and what is around
    assert convolve_back(back, x, k, ((1, 1), (0, 1), False), slopes, first=False)[:, 0, :, 0].tolist() == [
        [0, -1, 0],
        [0] * 3,
    ]
    assert slopes.view(2, 3).tolist() == [[0, 0, 0], [2, 3, 0]]


@pytest.mark.parametrize(
    "shape",
    [(3, 9, 9, 5, 7, 3, 3, 1, 1, 1, 1), (5, 4, 3, 40, 33, 2, 3, 2, 1, 0, 2), (2, 30, 30, 1, 9, 5, 5, 1, 1, 4, 4)],
)
def test_nothing_is_written_beyond(shape):
    library, of = compiled(), Shape(*shape)
    sizes = (of.n * of.h * of.w * of.c, of.out * of.c * of.kh * of.kw, int(np.prod(of.answer)))
    sizes = (*sizes, sizes[1], sizes[0], library.room_of(ctypes.byref(of)))
    rows = [torch.full((size + 32,), 7.0) for size in sizes]
    x, k, y, slopes, dx, room = (row[16:] for row in rows)
    for row, size in zip(rows[:2], sizes, strict=False):
        row[16 : 16 + size] = 0.5
    library.convolve(ctypes.byref(of), x.data_ptr(), k.data_ptr(), None, y.data_ptr(), room.data_ptr())
    given = (x, k, y, slopes, dx, room)
    library.convolve_back(ctypes.byref(of), *(t.data_ptr() for t in given))
    for row, size in zip(rows, sizes, strict=True):
        assert (row[:16] == 7).all() and (row[16 + size :] == 7).all()


def test_what_is_not_a_number_stays_so():
    x = torch.ones(4, 2, 2, 1)
    x[2, 0, 0, 0] = float("nan")
    y = convolve(x, torch.ones(1, 1, 3, 3), None, (1, 1), (1, 1))
    assert y[2].isnan().all() and not y[[0, 1, 3]].isnan().any()


def test_no_compiler_and_a_wrong_one(monkeypatch):
    class Wrong:
        def room_of(self, *_):
            return 1000

        def convolve(self, *_):
            pass

        convolve_back = convolve

    monkeypatch.setenv("CC", "none")
    assert conv_direct.compiled.__wrapped__() is None
    assert not conv_direct._agrees(Wrong())
