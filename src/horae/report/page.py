"""The page around the report: skeleton and style, light or dark as the reader's system is. No scripts, no fetching."""

from __future__ import annotations

import html

STYLE = """
:root { color-scheme: light dark;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", sans-serif;
  --serif: "Iowan Old Style", "Palatino Linotype", Palatino, "Source Serif 4", Georgia, serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace;
  --paper: #fbfaf7; --card: #ffffff; --ink: #1d2329; --soft: #5c6670; --line: #dfdcd4;
  --ours: #0067a3; --rival: #a84e00;
  --c0: #0067a3; --c1: #c24f00; --c2: #00805c; --c3: #a8497f; --c4: #8a6a00; --c5: #00788a; --c6: #4f4f9f; }
@media screen and (prefers-color-scheme: dark) { :root {
  --paper: #14181b; --card: #1b2024; --ink: #e9e6e0; --soft: #9ba5ae; --line: #333a41;
  --ours: #62b8ec; --rival: #f0a247;
  --c0: #62b8ec; --c1: #f28a4b; --c2: #3fc59a; --c3: #dd92bd; --c4: #e0c04a; --c5: #7fd6dd; --c6: #a9a9ee; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 var(--sans); }
main, footer { max-width: 960px; margin: 0 auto; padding: 0 24px; }
header { padding: 56px 0 8px; }
h1 { font: 400 clamp(1.75rem, 1.2rem + 2.6vw, 2.7rem)/1.18 var(--serif); margin: 10px 0 30px; text-wrap: balance; }
h2 { font: 400 1.55rem/1.25 var(--serif); margin: 0 0 6px; text-wrap: balance; }
h3, h4 { font-size: 1rem; margin: 30px 0 4px; } h4 { font-size: .95rem; }
p { margin: 0 0 14px; max-width: 68ch; text-wrap: pretty; }
section { border-top: 1px solid var(--line); margin-top: 40px; padding-top: 32px; }
.soft, .over, figcaption, caption { color: var(--soft); }
.over { font-size: .875rem; letter-spacing: .02em; margin: 0; overflow-wrap: anywhere; }
.tiles { display: flex; flex-wrap: wrap; gap: 1px; margin: 26px 0 0;
  background: var(--line); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
.tiles div { background: var(--card); padding: 16px 18px 14px; flex: 1 1 200px; }
.tiles dt { font-size: .875rem; color: var(--soft); }
.tiles dd { margin: 0; font-size: .875rem; color: var(--soft); }
.tiles dd.big { font-size: 1.65rem; line-height: 1.3; color: var(--ink); font-variant-numeric: tabular-nums; }
figure { margin: 18px 0 10px; }
figcaption { text-wrap: pretty; font-size: .9rem; max-width: 68ch; margin-top: 6px; }
svg { display: block; width: 100%; height: auto; overflow: visible; font-variant-numeric: tabular-nums; }
svg * { stroke-linejoin: round; }
svg.narrow { display: none; }
.beside { display: grid; grid-template-columns: 1fr 1fr; gap: 0 24px; align-items: start; }
.notice { border-left: 3px solid var(--rival); padding: 2px 0 2px 14px; margin: 0 0 20px; overflow-wrap: anywhere; }
.notice code { display: inline-block; max-width: 100%; vertical-align: bottom; }
.scroll { overflow-x: auto; margin: 14px 0; outline-offset: 3px; }
table { border-collapse: collapse; font-size: .9rem; min-width: min(100%, 420px); font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: .875rem; padding-bottom: 6px; }
th, td { padding: 6px 0 6px 26px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { font-weight: 500; } thead th { color: var(--soft); font-weight: 400; white-space: normal; vertical-align: bottom; }
th:first-child { text-align: left; padding-left: 0; }
.words { text-align: left; white-space: normal; } td.long { min-width: 22ch; }
tr.total > * { border-top: 2px solid var(--line); border-bottom: 0; font-weight: 600; }
td.heat { background: color-mix(in srgb, var(--ours) calc(var(--share) * 50%), transparent); padding: 6px 14px; }
.cross th, .cross td { text-align: center; padding: 6px 14px; }
.cross th:first-child { text-align: left; padding-left: 0; }
details { margin: 10px 0; } summary { cursor: pointer; color: var(--soft); font-size: .9rem; padding: 4px 0; }
details section { border: 0; margin: 24px 0 0; padding: 0 0 0 18px; } details > .over { margin: 8px 0 0 18px; }
summary:hover { color: var(--ink); }
pre { font: .85rem/1.5 var(--mono); background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 14px 16px; overflow-x: auto; margin: 8px 0 16px; } code { font-family: var(--mono); font-size: .9em; }
.tree, .tree ul { list-style: none; margin: 0; padding: 0; }
.tree { margin: 18px 0; max-width: 800px; } .tree ul { margin-left: 11px; padding-left: 26px; }
.tree li { position: relative; padding: 5px 0; }
.tree ul > li::before { content: ""; position: absolute; left: -26px; top: 0; height: 20px; width: 20px;
  border: solid var(--line); border-width: 0 0 2px 2px; border-bottom-left-radius: 9px; }
.tree ul > li:not(:last-child)::after { content: ""; position: absolute; left: -26px; top: 0; bottom: 0;
  border-left: 2px solid var(--line); }
.node { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0 14px; align-items: baseline; }
.name { font-weight: 600; color: var(--colour); font-variant-numeric: tabular-nums; }
.node .why { grid-column: 2; font-size: .9rem; color: var(--soft); overflow-wrap: anywhere; }
.leaf { display: grid; grid-template-columns: 1fr min(340px, 34vw) 4em; gap: 14px; align-items: center;
  font-variant-numeric: tabular-nums; } .leaf b { font-weight: 500; text-align: right; }
.bar { height: 10px; border-radius: 5px; background: color-mix(in srgb, var(--line) 60%, transparent); }
.bar i { display: block; height: 100%; border-radius: 5px; background: var(--colour);
  width: calc(var(--share) * 100%); }
footer { padding-top: 44px; padding-bottom: 64px; font-size: .875rem; color: var(--soft); }
@media (max-width: 820px) { .beside { grid-template-columns: 1fr; } .beside .chart { max-width: 460px; } }
@media (max-width: 620px) { main, footer { padding: 0 16px; } header { padding-top: 32px; }
  section { margin-top: 28px; padding-top: 24px; } h1 { margin-bottom: 22px; }
  svg.wide { display: none; } svg.narrow { display: block; }
  .tiles div { padding: 12px 14px; flex-basis: 150px; } .tiles dd.big { font-size: 1.3rem; }
  th, td { padding-left: 14px; } th:first-child { white-space: normal; } table { font-size: .85rem; }
  .tree ul { margin-left: 9px; padding-left: 22px; } .tree ul > li::before { left: -22px; width: 16px; }
  .tree ul > li:not(:last-child)::after { left: -22px; }
  .leaf { grid-template-columns: 1fr minmax(0, 16vw) 3.7em; gap: 8px; font-size: .9rem; }
  details section { padding-left: 0; } details > .over { margin-left: 0; } }
@media print { figure, .tiles, tr, li { break-inside: avoid; } h2, h3, h4 { break-after: avoid; }
  .scroll { overflow: visible; } }
"""


def page(title: str, sections: list[str], foot: str) -> str:
    """One whole document. title is plain text; sections and foot are HTML."""
    body = "\n".join(section for section in sections if section)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
<footer>{foot}</footer>
</body>
</html>
"""


def section(title: str, *parts: str, level: int = 2) -> str:
    """A section under a heading of this level; nothing if it has no parts."""
    body = "\n".join(part for part in parts if part)
    return f"<section>\n<h{level}>{html.escape(title)}</h{level}>\n{body}\n</section>" if body else ""


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph of HTML."""
    return f'<p class="{kind}">{words}</p>' if kind else f"<p>{words}</p>"


def figure(picture: str, caption: str) -> str:
    """A chart with a line below it, in plain text."""
    return f"<figure>{picture}<figcaption>{html.escape(caption)}</figcaption></figure>"


def beside(*parts: str) -> str:
    """Parts next to each other on a wide screen, below each other on a narrow one."""
    return f'<div class="beside">{"".join(parts)}</div>'


def details(summary: str, body: str) -> str:
    """Something folded away: body is HTML."""
    return f"<details><summary>{html.escape(summary)}</summary>{body}</details>"
