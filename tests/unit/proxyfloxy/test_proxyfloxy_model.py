"""The network: upstream's counts, Keras' first weights, and the same numbers from the same seed."""

import numpy as np
import pytest
import torch

from horae.proxyfloxy.model import (
    BLOCKS,
    Dropout,
    architecture,
    build,
    count,
    evaluate,
    first_weights,
    set_weights,
    train,
    weights_of,
)
from horae.proxyfloxy.worker import encoded, pack, unpack
from horae.pure.streams import stream

UPSTREAM = dict(zip(BLOCKS, (422_026, 756_682, 1_128_522, 1_500_362, 1_872_202, 2_244_042), strict=True))


@pytest.mark.parametrize("blocks", BLOCKS)
def test_counts_are_upstreams(blocks):
    # 1 block: 320 + 4*32 + 18,496 + 4*64 + (7*7*64 + 1)*128 + 1,290 = 422,026; each block more 36,928 + 4*64 = 37,184.
    arrays = weights_of(build(architecture(blocks)))
    assert count(arrays) == UPSTREAM[blocks] == 422_026 + 37_184 * (blocks - 1)
    # upstream's payloads in MB, as its notebook has them for one block: 2,281,615 bytes
    assert encoded(len(pack(arrays))) == pytest.approx(UPSTREAM[blocks] * 4 * 77 / 57, rel=0.01)


def test_the_payload_of_one_block_is_the_notebooks():
    assert encoded(len(pack(weights_of(build(architecture(1)))))) == pytest.approx(2_281_615, rel=0.01)


def test_the_architecture_is_as_short_for_every_depth():
    assert len(architecture(50)) - len(architecture(1)) == 1


def test_first_weights():
    one, again, other = (first_weights(architecture(2), 0, trial) for trial in (0, 0, 1))
    assert all((one[name] == again[name]).all() for name in one)
    assert (one["0.weight"] != other["0.weight"]).any()
    assert (one["0.bias"] == 0).all() and (one["2.weight"] == 1).all() and (one["2.running_var"] == 1).all()
    bound = np.sqrt(6 / (9 * (1 + 32)))  # 3x3, one image in, 32 out
    assert 0.9 * bound < np.abs(one["0.weight"]).max() <= bound
    shape = weights_of(build(architecture(2)))
    assert {name: (a.shape, a.dtype) for name, a in one.items()} == {n: (a.shape, a.dtype) for n, a in shape.items()}


def test_weights_go_in_and_out():
    net, arrays = build(architecture(1)), first_weights(architecture(1), 3, 0)
    set_weights(net, unpack(pack(arrays)))
    assert all((weights_of(net)[name] == array).all() for name, array in arrays.items())
    with pytest.raises(ValueError, match="not those of this network"):
        set_weights(net, first_weights(architecture(2), 3, 0))


def test_dropout_by_its_own_stream():
    layer, x = Dropout(0.2), torch.ones(100, 100)
    layer.draw = stream(0, "test")
    kept = layer(x)
    assert set(kept.unique().tolist()) == {0.0, 1.25}
    assert float((kept == 0).float().mean()) == pytest.approx(0.2, abs=0.02)  # 10,000 draws: sd 0.004
    torch.manual_seed(1)
    layer.draw = stream(0, "test")
    assert (layer(x) == kept).all()
    layer.eval()
    assert (layer(x) == x).all()


def test_it_learns_and_repeats():
    x = np.zeros((64, 28, 28), np.float32)
    y = np.arange(64) % 2
    x[y == 1, 4:20, 4:20] = 1

    def once():
        net = build(architecture(1))
        set_weights(net, first_weights(architecture(1), 0, 0))
        before = evaluate(net, x, y)[0]
        told = train(net, x, y, 3, stream(0, "test training"))
        return before, told, evaluate(net, x, y), weights_of(net)

    (before, told, after, weights), (_, told_again, _, again) = once(), once()
    assert after[0] < before and told[1] > 0.5
    assert told == told_again and all((weights[name] == again[name]).all() for name in weights)
