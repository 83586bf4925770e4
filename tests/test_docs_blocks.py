"""Every code block of the pages is something: run, read by horae, an answer, or marked as not run here."""

import re
import shlex

import pages
import pytest
from pages import ALL, MARKER, ROOT

LANGUAGES = {"", "text", "python", "toml", "yaml", "bash", "json", "csv"}
COMMAND = re.compile(r"(horae|make|pip|python3?|cd|git|ssh|flwr|flower-\w+|export|docker|curl|\.\S+/bin/\w+) ")
MOST_NOT_RUN = 12  # raise it knowingly: each is a block that nothing holds to the truth


@pytest.mark.parametrize("page", ALL)
def test_every_block_says_what_it_is(page):
    assert [str(b) for b in ALL[page] if b.language not in LANGUAGES] == []
    bare = [b for b in ALL[page] if b.language in ("", "text")]
    assert [str(b) for b in bare if COMMAND.match(b.code.lstrip("$ "))] == [], "commands want ```bash"


def test_few_blocks_are_not_run_and_say_why():
    marked = [b for page in ALL.values() for b in page if b.why]
    assert len(marked) <= MOST_NOT_RUN, [f"{b}: {b.why}" for b in marked]
    assert all(len(b.why.split()) >= 3 for b in marked)
    for page, blocks in ALL.items():
        text = (ROOT / page).read_text(encoding="utf-8")
        markers = len(re.findall(r"^ *<!-- not run here", text, re.M))
        assert markers == sum(1 for b in blocks if MARKER.search(b.before)), f"{page}: a marker without a block"


def test_a_marker_is_read_from_before_its_block_alone():
    page = ROOT / "tests" / "no-page.md"
    text = "<!-- not run here: it needs a cluster -->\n```bash\nssh there\n```\nwords\n```bash\nhorae list\n```\n"
    found = list(pages.FENCE.finditer(text))
    one = pages.Block(page.name, 2, "bash", found[0][3], text[: found[0].start()])
    other = pages.Block(page.name, 6, "bash", found[1][3], text[found[0].end() : found[1].start()])
    assert (one.why, other.why) == ("it needs a cluster", "")


def test_a_synopsis_is_taken_apart():
    block = pages.Block(
        "x.md", 1, "bash", "horae report RUN [RUN ...] [--out FILE.html]       horae diff RUN RUN\n", ""
    )
    first, second = pages.commands(block)
    assert first.words == ("horae", "report", "RUN", "RUN", "--out", "FILE.html")
    assert second.words == ("horae", "diff", "RUN", "RUN")
    assert first.shown and second.shown
    plain = pages.Block("x.md", 1, "bash", "A=1 horae run \\\n  --set 'x=[1]'  # why\n", "")
    (line,) = pages.commands(plain)
    assert (line.words, line.shown, line.environment) == (("horae", "run", "--set", "x=[1]"), False, {"A": "1"})
    assert shlex.join(line.words) == "horae run --set 'x=[1]'"
