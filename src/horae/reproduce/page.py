"""docs/evidence.md, made of the results that are kept: a table of all claims, then a section for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from horae.errors import ConfigError, RunError
from horae.files import write_whole
from horae.reproduce import pictures, records, source_of
from horae.reproduce.claims import SIZES, Reproduction
from horae.reproduce.finding import every, kept, root
from horae.reproduce.judging import YES, Row
from horae.reproduce.records import Record
from horae.reproduce.words import HEAD, cells, in_short, ours

PAGE, PICTURES = Path("docs", "evidence.md"), Path("docs", "pictures", "evidence")
OPENING = """# Evidence

What the papers claim, and what horae measured on data that are at hand. `horae reproduce NAME` does any of it again;
[reproduce.md](reproduce.md) says how, and what the verdicts mean. This page is made of
[experiments/results](../experiments/results/README.md) by `horae reproduce --page`: only the reasons why a claim does
not hold here are written by hand.

**yes**: the paired 95 % interval over seeds (Student's t) lies on the side that the paper claims. **no**: it lies on
the other side, or the arms were the same on every seed. **not distinguishable**: neither. Intervals are each by itself,
not corrected for their number. Every arm of a comparison has the same budget; what a method asks of clients beside
training is in the ledger, and so in bytes and time. Accuracies and shares are in percent, their differences in points.
The paper's numbers are of other data, models and scales: directions are compared, not sizes.
"""


@dataclass(frozen=True)
class Shown:
    """A reproduction and what is kept of it. size: small, or paper."""

    reproduction: Reproduction
    size: str
    record: Record

    @property
    def anchor(self) -> str:
        """Where its section is."""
        letters = (letter for letter in self.heading.lower() if letter.isalnum() or letter in " -_")
        return "".join(letters).replace(" ", "-")

    @property
    def heading(self) -> str:
        """Of its section."""
        return f"{self.reproduction.title}{'' if self.size == 'small' else ', with the data of the paper'}"

    @property
    def picture(self) -> str:
        """The picture's file name; empty if there is none."""
        one = self.reproduction
        ending = "" if self.size == "small" else f"-{self.size}"
        return f"{one.folder}-{one.name}{ending}.svg" if one.claim.picture else ""


def write_page(place: Path | None = None) -> list[Path]:
    """Write page and pictures below this folder, else the checkout. Errors: ConfigError, RunError."""
    where = place or root().parent
    if not (where / PAGE).parent.is_dir():
        raise RunError(f"there is no folder {where / 'docs'}; --page is for a checkout of horae")
    text, drawn = page()
    (where / PICTURES).mkdir(parents=True, exist_ok=True)
    files = {where / PAGE: text} | {where / PICTURES / name: svg for name, svg in drawn.items()}
    for file, content in files.items():
        write_whole(file, content)
    for old in set((where / PICTURES).glob("*.svg")) - set(files):
        old.unlink()
    return list(files)


def page(folder: Path | None = None) -> tuple[str, dict[str, str]]:
    """The page, and its pictures by file name. Errors: ConfigError where results are not of the file as it is."""
    found = every(folder)
    shown = [one for reproduction in found for one in _shown(reproduction)]
    told = {one.reproduction.title for one in shown}
    missing = [one for one in found if one.title not in told]
    parts = [OPENING, "## All of it\n", _summary(shown)]
    if missing:
        names = ", ".join(f"`{one.title}`" for one in missing)
        parts.append(f"Not measured yet, for want of time or data: {names}.\n")
    parts += [_section(one) for one in shown]
    drawn = {one.picture: pictures.draw(one.reproduction.claim, one.record) for one in shown if one.picture}
    return "\n".join(parts), drawn


def _shown(reproduction: Reproduction) -> list[Shown]:
    """What is kept of it, at either size."""
    found = []
    for size in SIZES:
        record = None if reproduction.sizes[size].none else records.read(kept(reproduction, size))
        if record is None:
            continue
        if record.table["of"] != records.digest(reproduction, source_of(reproduction, size), size):
            again = f"{record.table['command']} --keep"
            raise ConfigError(f"{reproduction.title} has changed since its results were made; run: {again}")
        found.append(Shown(reproduction, size, record))
    return found


def _summary(shown: Sequence[Shown]) -> str:
    """A row for each: the claim, its first number in the paper and here, the verdict over all its rows."""
    lines = [_line(("", "claim", "paper", "horae", "same direction?")), _line(["---"] * 5)]
    for one in shown:
        first, claim = one.record.rows[0], one.reproduction.claim
        name = f"[{one.heading}](#{one.anchor})"
        said = f"{first.words}: {first.paper}"
        lines.append(_line((name, claim.words, said, ours(first).partition(": ")[0], in_short(one.record.rows))))
    return "\n".join(lines) + "\n"


def _section(one: Shown) -> str:
    """One table or figure."""
    claim, table, rows = one.reproduction.claim, one.record.table, one.record.rows
    parts = [
        f"## {one.heading}\n",
        f"{claim.paper}, {claim.where}. *{claim.words}*\n",
        f"Here: {one.reproduction.sizes[one.size].words} {_made(one)}\n",
        "\n".join([_line(HEAD), _line(["---"] * len(HEAD)), *(_line(cells(row)) for row in rows)]) + "\n",
    ]
    if one.picture:
        parts.append(f"![{pictures.caption(claim, one.record)}](pictures/evidence/{one.picture})\n")
    parts += _reasons(one, rows)
    cost = sum(value or 0 for arm in one.record.arms for value in arm["values"].get("run_wall_s", []))
    took = f" The runs took {cost / 60:.0f} minutes of one core." if cost >= 60 and not _borrowed(one) else ""
    parts.append(f"`{table['command']}`, horae {table['horae']}, {table['date']}, {table['machine']}.{took}\n")
    return "\n".join(parts)


def _made(one: Shown) -> str:
    """How many seeds, and whose runs."""
    n = len(one.record.table["seeds"])
    shared = f" The runs are those of `{one.record.table['runs_of']}`." if _borrowed(one) else ""
    budget = next((note for note in one.record.table["notes"] if note.startswith("Budget")), "")
    tuned = next((note for note in one.record.table["notes"] if note.startswith("Tuned before")), "")
    return " ".join(part for part in (f"{n} seed{'s' if n > 1 else ''}.{shared}", budget, tuned) if part)


def _borrowed(one: Shown) -> bool:
    return bool(one.record.table["runs_of"] != one.reproduction.title)


def _reasons(one: Shown, rows: Sequence[Row]) -> list[str]:
    """Why rows do not hold, as far as somebody has said it."""
    why = {check.words: check.why for check in one.reproduction.checks} if one.size == "small" else {}
    told: dict[str, list[str]] = {}
    for row in rows:
        if row.verdict != YES:
            told.setdefault(why.get(row.words) or "nobody has said why yet.", []).append(row.words)
    if not told:
        return []
    lines = [f"- {'; '.join(names)}: {reason}" for reason, names in told.items()]
    return ["\n".join(["**Does not hold here, because**\n", *lines]) + "\n"]


def _line(words: Sequence[str]) -> str:
    return f"| {' | '.join(word.replace('|', '/') for word in words)} |"
