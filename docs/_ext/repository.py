"""Links such as `repo:src/horae/federate.py#L196` lead to a page that shows the file: the site needs no network."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

ROOT = Path(__file__).parents[2]
LONGEST = 200_000  # characters of a file that are shown


class RepositoryLinks(SphinxPostTransform):
    """Turn `repo:` links of a page into links to the pages of files, and remember which files are asked for."""

    default_priority = 200

    def run(self, **_: Any) -> None:
        """All links of one page."""
        for link in self.document.findall(nodes.reference):
            if link.get("refuri", "").startswith("repo:"):
                path, _hash, line = link["refuri"][5:].partition("#")
                self.app.repository_files.add(path)  # type: ignore[attr-defined]
                here = self.app.builder.get_relative_uri(self.env.docname, f"files/{path}")
                link["refuri"] = f"{here}#{line}" if line else here


def listed(path: str) -> str:
    """One file as HTML, its lines numbered and named L1, L2, ..."""
    text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
    cut = "" if len(text) <= LONGEST else f"<p>The first {LONGEST:,} of {len(text):,} characters.</p>"
    try:
        lexer = get_lexer_for_filename(path)
    except ClassNotFound:
        lexer = TextLexer()
    form = HtmlFormatter(linenos="inline", linespans="L", cssclass="highlight")
    body = highlight(text[:LONGEST], lexer, form).replace('id="L-', 'id="L')
    return f"<h1>{html.escape(path)}</h1>{cut}{body}"


def write(app: Any, error: Exception | None) -> None:
    """A page for every file that some page links to; written here, for a sidebar on each would double the time."""
    for path in sorted(app.repository_files) if error is None else ():
        if not (ROOT / path).is_file():
            logging.getLogger(__name__).warning("a page links to %s, which is not there", path)
            continue
        file, up = Path(app.outdir, "files", f"{path}.html"), "../" * (path.count("/") + 1)
        words = {"title": path, "body": listed(path), "up": up, "project": app.config.project}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(app.builder.templates.render("file.html", words), encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Sphinx calls this."""
    app.repository_files = set()
    app.add_post_transform(RepositoryLinks)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
