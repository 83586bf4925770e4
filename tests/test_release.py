"""What a release says of itself agrees: versions, what is public, what is described, what a container is made of."""

import importlib
import re
import tomllib
from pathlib import Path

import pytest
import yaml

import horae

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "public.md").read_text(encoding="utf-8")


def test_the_citation_is_of_this_version_and_of_its_papers():
    assert (CITATION["version"], CITATION["license"]) == (PROJECT["version"], PROJECT["license"])
    assert {"cff-version", "message", "title", "authors"} <= CITATION.keys()
    known = (ROOT / "src" / "horae" / "citations.bib").read_text(encoding="utf-8")
    assert [paper["title"] for paper in CITATION["references"] if paper["title"] not in known] == []


def test_everything_public_is_there_and_described():
    assert sorted(horae.__all__) == horae.__all__
    for name in horae.__all__:
        assert getattr(horae, name) is not None
        assert f"`horae.{name}`" in PAGE, name
    assert horae.HoraeError is importlib.import_module("horae.errors").HoraeError


@pytest.mark.parametrize("module", re.findall(r"`(horae\.\w+)\.__all__`", PAGE))
def test_modules_that_the_page_names_say_what_they_offer(module):
    found = importlib.import_module(module)
    held = {*vars(found), *getattr(found, "_WHERE", ())}  # horae.flower fetches its names when they are asked for
    assert {*found.__all__} <= held and found.__all__


def test_what_the_container_copies_is_let_through():
    copied = re.findall(r"^COPY (.*) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.M)
    names = {name for line in copied for name in line.split()}
    let = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"}
    assert names == let
    assert all((ROOT / name).exists() for name in names)
    assert {PROJECT["readme"], *PROJECT["license-files"]} <= names
