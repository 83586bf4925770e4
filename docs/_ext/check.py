"""What a built site must be: `python docs/_ext/check.py site` finds links that lead nowhere, and what is fetched."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}


class Page(HTMLParser):
    """The anchors, links and fetched files of one page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors, self.links, self.fetched = set[str](), list[str](), list[str]()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One tag."""
        found = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := found.get(key))}
        if tag == "a" and (target := found.get("href")):
            self.links.append(target)
        if tag in FETCHING and (target := found.get(FETCHING[tag])):
            self.fetched.append(target)


def wrong(site: Path) -> list[str]:
    """Everything that is wrong, one line each."""
    pages = {file.resolve(): Page(file) for file in site.rglob("*.html")}
    out = []
    for file, page in pages.items():
        name = file.relative_to(site.resolve())
        out += [f"{name} fetches {target}" for target in page.fetched if urlsplit(target).scheme not in ("", "data")]
        for target in (*page.links, *page.fetched):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            aim = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            anchor = unquote(parts.fragment)
            if not aim.is_file():
                out.append(f"{name}: there is no {target}")
            elif anchor and aim in pages and anchor not in pages[aim].anchors and anchor != "":
                out.append(f"{name}: {target} names no place in the page")
    for file in site.rglob("*.css"):
        text = file.read_text(encoding="utf-8", errors="replace")
        out += [
            f"{file.relative_to(site)} fetches {url}"
            for url in re.findall(r"(?:@import|url\()\s*['\"]?(https?:[^'\")]+)", text)
        ]
    return sorted(set(out))


if __name__ == "__main__":
    lines = wrong(Path(sys.argv[1]))
    print("\n".join(lines) or "no link leads nowhere, and nothing is fetched")
    sys.exit(bool(lines))
