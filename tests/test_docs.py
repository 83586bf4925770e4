"""The pages: links lead somewhere, and what a run writes down is described. Code blocks: test_docs_blocks.py."""

import json
import re
from pathlib import Path

import pytest

import horae
from horae.report.schema import NEEDED

ROOT = Path(__file__).parents[1]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
CODE = re.compile(r"^```.*?^```", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CONCEPTS = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
EXPLAIN = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files(page):
    prose = CODE.sub("", page.read_text(encoding="utf-8"))
    targets = [link.partition("#")[0] for link in LINK.findall(prose) if not re.match(r"[a-z]+:", link)]
    assert [target for target in targets if target and not (page.parent / target).is_file()] == []


def test_decisions_that_the_source_names_are_written_and_listed():
    files = {file.name[:4]: file for file in (ROOT / "docs" / "decisions").glob("*.md")}
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert [number for number, file in files.items() if f"decisions/{file.name}" not in index] == []
    for source in sorted((ROOT / "src").rglob("*.py")):
        words = " ".join(source.read_text(encoding="utf-8").split())
        named = re.findall(r"decisions?[ /](\d{4})(?:-(\d{4}))?", words)
        assert [n for pair in named for n in pair if n and n not in files] == [], source.name


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    return horae.run("demo", budget={"participations": 900}, out=tmp_path_factory.mktemp("docs") / "run")


def test_every_field_of_every_event_is_described(small_run):
    said = CONCEPTS.split("### events.jsonl")[1].split("###")[0] + EXPLAIN.split("## What the log holds")[1]
    rows: dict[str, str] = {}
    for kind, words in re.findall(r"^\| `(\w+)` \| (.*) \|$", said, re.M):
        rows[kind] = rows.get(kind, "") + words
    fields = {}
    for line in (small_run.directory / "events.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        fields.setdefault(event.pop("event"), set()).update(event)
    for rare in ("masks", "census", "failure"):  # which this run has no occasion for
        assert rare not in fields
        fields[rare] = set(NEEDED[rare])
    assert fields.keys() == rows.keys()
    assert "children" in fields["verdict"], "the run should be long enough to hold a split"
    for kind, names in fields.items():
        assert [name for name in sorted(names) if f"`{name}`" not in rows[kind]] == [], kind


def test_every_field_of_the_summary_is_described(small_run):
    page = CONCEPTS.split("### summary.json")[1].split("\n## ")[0]
    assert [name for name in small_run.summary if f"`{name}`" not in page] == []
    row = next(line for line in page.splitlines() if line.startswith("| `baseline`"))
    assert [name for name in small_run.summary["baseline"] if f"`{name}`" not in row] == []
    other = json.loads((small_run.directory / "baseline" / "summary.json").read_text(encoding="utf-8"))
    assert small_run.summary.keys() - other.keys() == {"run_wall_s", "baseline", "gain"}


def test_the_embedded_populations_and_generators_are_described():
    from horae.population import AVAILABILITY, DEVICES, POPULATIONS

    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    assert [name for name in (*POPULATIONS, *DEVICES, *AVAILABILITY) if f"`{name}`" not in page] == []
