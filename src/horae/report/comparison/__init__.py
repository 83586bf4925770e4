"""results*: a comparison as data, as tables for papers, and as a page."""

from __future__ import annotations

import json
from pathlib import Path

from horae.files import write_whole
from horae.report.comparison import tables
from horae.report.comparison.fields import Table


def write_results(directory: Path, results: Table) -> None:
    """Write results.json, .csv, .md, .tex, .html and results-arms.csv. Errors: RunError if it cannot."""
    from horae.report.comparison.page import comparison_page  # matplotlib takes a second, and only this needs it

    write_whole(directory / "results.json", json.dumps(results, indent=2, allow_nan=False) + "\n")
    write_whole(directory / "results.csv", tables.csv_text(results))
    write_whole(directory / "results-arms.csv", tables.csv_arms(results))
    write_whole(directory / "results.md", tables.markdown(results))
    write_whole(directory / "results.tex", tables.latex(results))
    write_whole(directory / "results.html", comparison_page(results, directory))
