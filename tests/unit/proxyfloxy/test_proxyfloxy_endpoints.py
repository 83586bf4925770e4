"""Endpoint files: upstream's form, its alias, and what is refused in one line."""

from pathlib import Path

import pytest

from horae.errors import ConfigError, DataError, HoraeError
from horae.proxyfloxy import Endpoint, read_endpoints

A, B, C, D = (f"0000000{n}-0000-4000-8000-000000000000" for n in range(4))
CONFIGS = Path(__file__).parents[3] / "configs"


def read(tmp_path, words):
    file = tmp_path / "endpoints.yml"
    file.write_text(words)
    return read_endpoints(file)


def test_upstreams_form(tmp_path):
    found = read(
        tmp_path,
        f"controller:\n  funcx-id: ~\n  proxystore-id: {D}\n\n"
        f"hawk:\n  funcx-id: {A}\n  proxystore-id: {B}\n# rpi1:\n#  funcx-id: nothing\n"
        f"owl:\n  globus-compute-id: {C}\n  proxystore-id: {D}\n",
    )
    assert found.workers == (Endpoint("hawk", A, B), Endpoint("owl", C, D))
    assert found.controller == Endpoint("controller", None, D)
    assert not found.local
    assert found.stores == (D, B)  # the controller's first, each once


@pytest.mark.parametrize(
    ("name", "workers"), [("single-endpoint", 1), ("pi-endpoints", 2), ("workstation-endpoints", 4)]
)
def test_those_that_ship_are_of_this_machine(name, workers):
    found = read_endpoints(CONFIGS / f"{name}.yml")
    assert found.local and len(found.workers) == workers and found.stores == ()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (f"a: {{funcx-id: {A}, proxystore-id: {B}}}\nb: {{funcx-id: ~, proxystore-id: ~}}", "mixes null and non-null"),
        (f"a: {{funcx-id: {A}, proxystore-id: ~}}", "mixes null and non-null"),
        (f"controller: {{funcx-id: ~, proxystore-id: {A}}}\na: {{funcx-id: ~, proxystore-id: ~}}", "mixes null"),
        (
            f"controller: {{funcx-id: {A}, proxystore-id: {A}}}\na: {{funcx-id: {A}, proxystore-id: {A}}}",
            "trains nothing",
        ),
        ("controller: {funcx-id: ~, proxystore-id: ~}", "names nobody who trains"),
        ("a: {funcx-id: seven, proxystore-id: ~}", "funcx-id should be a UUID or null, got 'seven'"),
        ("a: {funcx-id: ~}", "lacks proxystore-id"),
        ("a: {proxystore-id: ~}", "one of funcx-id and globus-compute-id, got none"),
        ("a: {funcx-id: ~, globus-compute-id: ~, proxystore-id: ~}", "got both"),
        ("a: {funcx-idd: ~, proxystore-id: ~}", "did you mean 'funcx-id'?"),
        ("- local:0\n- local:1", "should name endpoints"),
        ("a: 3", "should have funcx-id and proxystore-id, got 3"),
        ("", "should name endpoints"),
    ],
)
def test_refused_in_one_line(tmp_path, words, says):
    with pytest.raises(ConfigError, match=says) as refused:
        read(tmp_path, words)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("words", ["a: [", "\0", "a: {b"])
def test_what_is_not_yaml(tmp_path, words):
    with pytest.raises(HoraeError, match="cannot read") as refused:
        read(tmp_path, words)
    assert "\n" not in str(refused.value)


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="No such file or directory"):
        read_endpoints(tmp_path / "none.yml")
