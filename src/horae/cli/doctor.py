"""Is this machine fit for horae?"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from horae.cli.options import DataRoot, Json, data_root_of, printed

MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "wrong": ("WRONG", "bold red")}


def doctor(data_root: DataRoot = None, as_json: Json = False) -> int:
    """Check this machine: versions, extras, threads, kernels, data, memory. Exit code 1: horae cannot work here."""
    from horae.doctor import examine

    findings = examine(data_root_of(data_root))
    code = int(any(one.state == "wrong" for one in findings))
    if printed({"fit": not code, "checks": [vars(one) for one in findings]}, as_json):
        return code
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("", "check", "found", "remedy"):
        grid.add_column(title, overflow="fold", no_wrap=title in ("", "check"))
    for one in findings:
        grid.add_row(Text(*MARKS[one.state]), one.check, Text(one.found), Text(one.remedy))
    Console().print(grid)
    return code
