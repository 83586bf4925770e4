"""horae.flower says what it needs, and what does without Flower works without."""

import importlib.util

import pytest

import horae.flower
from horae.errors import RunError


def test_what_needs_flower_says_so(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in set(horae.flower.__all__) - {"Memory"}:
        with pytest.raises(RunError, match=r'^horae\.flower\.\w+ needs Flower: pip install "horae\[flower\]"$'):
            getattr(horae.flower, name)
    assert horae.flower.Memory.open
    with pytest.raises(AttributeError):
        horae.flower.nothing  # noqa: B018
