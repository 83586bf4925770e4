"""Real devices: what can be known to be wrong before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from horae.cli.options import Json, printed

App = Annotated[Path | None, typer.Argument(metavar="[APP_DIR]", help="A Flower app's directory.", show_default=False)]
SuperLinks = Annotated[
    list[str] | None, typer.Option("--superlink", metavar="HOST:PORT", help="The server's address; may be repeated.")
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Without TLS, as on one machine.")]
Ca = Annotated[Path | None, typer.Option(metavar="FILE", help="The authority's certificate, ca.crt.")]
Cert = Annotated[Path | None, typer.Option(metavar="FILE", help="The server's certificate.")]
Key = Annotated[Path | None, typer.Option(metavar="FILE", help="The server's private key.")]
NodeKey = Annotated[Path | None, typer.Option(metavar="FILE", help="This node's private key.")]
StateDir = Annotated[Path | None, typer.Option(metavar="DIR", help="This node's state-dir.")]
Nodes = Annotated[int, typer.Option(metavar="N", help="How many nodes must be online; needs a running SuperLink.")]
Asks = Annotated[
    bool, typer.Option("--ask", help="Ask the nodes which horae they have: APP_DIR runs, and trains nothing.")
]
MARKS = {"ok": "[green]✓[/green]", "warn": "[yellow]![/yellow]", "wrong": "[red]✗[/red]"}


def check(
    app_dir: App = None,
    superlink: SuperLinks = None,
    insecure: Insecure = False,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    node_key: NodeKey = None,
    state_dir: StateDir = None,
    nodes: Nodes = 0,
    ask: Asks = False,
    as_json: Json = False,
) -> int:
    """Check a deployment before a run: versions, app, addresses, certificates, keys, nodes. Exit code 1: not ready."""
    from horae.flower.asking import asker
    from horae.flower.check import Deployment, verify

    files = {"ca": ca, "cert": cert, "key": key, "node_key": node_key, "state_dir": state_dir}
    findings = verify(
        Deployment(app_dir, tuple(superlink or ()), insecure, nodes, **files), asker(app_dir, insecure) if ask else None
    )
    code = int(any(one.state == "wrong" for one in findings))
    if printed({"ready": not code, "checks": [vars(one) for one in findings]}, as_json):
        return code
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("", "check", "found", "remedy"):
        grid.add_column(title, overflow="fold")
    for one in findings:
        grid.add_row(MARKS[one.state], one.check, Text(one.found), Text(one.remedy))
    Console().print(grid)
    return code
