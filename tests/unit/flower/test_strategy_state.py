"""What a strategy has learnt can be saved, without pickle; what cannot is named."""

import functools

import numpy as np
import pytest

from horae.errors import RunError
from horae.flower.strategy_state import forgotten, learnt, recorded, restored, taught
from horae.pure.packing import PackingError, pack, unpack


class Averaging:
    """As Flower's are: settings, then what was learnt."""

    def __init__(self, eta=0.1, inner=None):
        self.eta, self.average, self.m_t, self.rounds, self.seen = eta, sum, None, 0, []
        self.partial = functools.partial(max, 3)
        self.strategy = inner

    def configure_train(self):
        """A verb."""

    def aggregate_train(self):
        """A verb."""

    def step(self):
        self.m_t, self.rounds = {"w": np.arange(3.0) + self.rounds}, self.rounds + 1
        self.seen.append((b"raw", True, np.float32(2)))
        if self.strategy:
            self.strategy.step()


def moved(strategy, fresh):
    return unpack(pack(learnt(strategy, fresh)))


def test_it_goes_on_with_what_it_has_learnt_and_with_its_new_settings():
    one = Averaging(inner=Averaging())
    assert learnt(one, Averaging(inner=Averaging())) == {}
    one.step()
    one.step()
    state = moved(one, Averaging(inner=Averaging()))
    assert set(state) == {"m_t", "rounds", "seen", "strategy"}
    other = taught(Averaging(eta=0.7, inner=Averaging(eta=0.8)), state)
    assert (other.rounds, other.eta, other.strategy.rounds, other.strategy.eta) == (2, 0.7, 2, 0.8)
    np.testing.assert_array_equal(other.m_t["w"], [1, 2, 3])
    assert other.seen == [(b"raw", True, np.float32(2))] * 2
    assert type(other.seen[0][2]) is np.float32
    assert other.average is sum


def test_a_strategy_inside_must_be_there():
    one = Averaging(inner=Averaging())
    one.step()
    with pytest.raises(RunError, match="strategy_factory"):
        taught(Averaging(), moved(one, Averaging(inner=Averaging())))


def test_what_cannot_be_held_is_named_and_left_out():
    one = Averaging(inner=Averaging())
    assert forgotten(one) == []
    one.optimiser = object()
    one.strategy.rng = np.random.default_rng(0)
    assert forgotten(one) == ["Averaging.rng (Generator)", "Averaging.optimiser (object)"]
    assert learnt(one, Averaging(inner=Averaging())) == {}
    with pytest.raises(PackingError, match="a Generator"):
        recorded(np.random.default_rng(0))


def test_a_list_changed_in_place_has_been_learnt():
    one, fresh = Averaging(), Averaging()
    one.seen.append(3)
    assert learnt(one, fresh) == {"seen": [3]}
    one.seen.clear()
    assert learnt(one, fresh) == {}


def test_plain_values_come_back_as_they_were():
    value = {"a": [1, 2.5, None, "x", True], "b": (b"", b"\x00\xff"), "c": np.zeros((2, 0))}
    found = restored(unpack(pack(recorded(value))))
    np.testing.assert_array_equal(found.pop("c"), value.pop("c"))
    assert found == value
