"""The pages of the documentation as their tests read them: code blocks, what they are, and the commands in them."""

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
OWN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES = sorted(file for file in (ROOT / "docs").rglob("*.md")) + OWN
FENCE = re.compile(r"^( *)```([\w-]*)\n(.*?)^\1```$", re.M | re.S)
MARKER = re.compile(r"<!-- not run here: (\S.*?) -->\s*\Z")
NAMED = re.compile(r"\A# ([\w./-]+\.(?:toml|py|yml))\n")


@dataclass(frozen=True)
class Block:
    """One code block. before: the page's text since the last block. why: why it is not run here, or nothing."""

    page: str
    line: int
    language: str
    code: str
    before: str

    @property
    def why(self) -> str:
        """The reason that a marker before it gives."""
        found = MARKER.search(self.before)
        return found[1] if found else ""

    @property
    def file(self) -> str:
        """The file that it shows, by its first line `# name.toml`; or nothing."""
        found = NAMED.match(self.code)
        return found[1] if found else ""

    @property
    def answers(self) -> bool:
        """It is what the block before it printed: nothing lies between, or a line that says so."""
        between = self.before.strip()
        return self.language in ("", "text") and (not between or (between.startswith("prints") and "\n" not in between))

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """All blocks of a page, in order."""
    text, out, last = page.read_text(encoding="utf-8"), [], 0
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        name, code = str(page.relative_to(ROOT)), textwrap.dedent(found[3])
        out.append(Block(name, line, found[2], code, text[last : found.start()]))
        last = found.end()
    return out


ALL = {str(page.relative_to(ROOT)): blocks(page) for page in PAGES}


def of(*languages: str, run: bool = True) -> list[Block]:
    """All blocks of these languages; run: without those that are marked as not run here."""
    return [b for page in ALL.values() for b in page if b.language in languages and not (run and b.why)]


@dataclass(frozen=True)
class Line:
    """One command of a block. words: as the shell would split it, comments off; words in capitals are to be filled in.

    shown: it is a synopsis, with brackets around what may be left out.
    """

    words: tuple[str, ...]
    shown: bool
    environment: dict[str, str]


def commands(block: Block) -> list[Line]:
    """The commands of a block of the shell, continued lines put together, two on a line (a synopsis) taken apart."""
    code = re.sub(r"\s*\\\n\s*", " ", block.code)
    code = re.sub(r"\n {4,}(?=\[)", " ", code)  # a synopsis that goes on
    lines = [part for line in code.splitlines() for part in re.split(r" {2,}(?=horae )", line)]
    return [line for text in lines if (line := _line(text))]


def _line(text: str) -> Line | None:
    quoted = re.search(r"['\"]", text)
    shown = not quoted and "[" in text
    if shown:
        text = re.sub(r"\]\.\.\.|\.\.\.\]|[\[\]]", " ", re.sub(r"(?<=\w)\[", " [", text)).replace(" | ", " ")
    words = shlex.split(text, comments=True)
    environment = {}
    while words and re.match(r"[A-Z_]+=", words[0]):
        key, _, value = words.pop(0).partition("=")
        environment[key] = value
    return Line(tuple(words), shown or any(capitals(w) for w in words), environment) if words else None


def capitals(word: str) -> bool:
    """A word that stands for another: FILE.toml, DIR, KEY=VALUE."""
    return bool(re.fullmatch(r"[A-Z][A-Z_:]+(=[A-Z_]+|\.\w+)?|N", word))
