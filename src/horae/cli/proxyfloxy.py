"""ProxyFloxy's sweep as a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from horae.cli.options import DataRoot, Json, printed
from horae.cli.stopping import stopping
from horae.errors import ConfigError, RunError, Stopped, brief, require
from horae.files import check_writable, write_whole

if TYPE_CHECKING:
    from horae.proxyfloxy.carriers import Carrier
    from horae.proxyfloxy.endpoints import Endpoints
    from horae.proxyfloxy.rounds import Sweep
    from horae.proxyfloxy.table import Row

LIMIT = 10_485_760  # bytes of a message that Globus Compute takes
File = Annotated[Path, typer.Option("--endpoints", "-E", metavar="YML", help="Endpoints; all ids null: this machine.")]
Data = Annotated[str, typer.Option("--data-name", help="digits, mnist or fashion_mnist.")]
Samples = Annotated[int, typer.Option("--samples", "-s", help="Images that each endpoint trains on.")]
Epochs = Annotated[int, typer.Option("--epochs", "-e", help="Times that it goes through them in a round.")]
Loops = Annotated[int, typer.Option("--loops", "-l", help="Rounds.")]
Interval = Annotated[
    float, typer.Option("--time_interval", "--time-interval", "-t", metavar="S", help="Seconds between rounds.")
]
NoStore = Annotated[bool, typer.Option("--no-proxystore", help="Models in the messages alone, no second arm.")]
Blocks = Annotated[str, typer.Option(metavar="N,N", help="Hidden blocks of the models that are swept.")]
Trials = Annotated[int, typer.Option(help="Times to do each, from other first weights and samples.")]
Connector = Annotated[
    str | None,
    typer.Option(help="shm, file, redis, zmq, endpoint (default: shm; with ids: endpoint).", show_default=False),
]
Where = Annotated[
    str | None,
    typer.Option(
        "--executor",
        help="thread, process, parsl, ray, globus, package.module:function (default: process; with ids: globus).",
        show_default=False,
    ),
]
Limit = Annotated[int, typer.Option(metavar="BYTES", help="Most bytes of a message, in base64; 0: no limit.")]
Out = Annotated[Path, typer.Option(help="Rows go to DIR/data/results_<time>.csv.", metavar="DIR")]
Name = Annotated[str, typer.Option("--store-name", "-n", help="What the page calls the store, as upstream.")]
Directory = Annotated[
    Path | None, typer.Option("--store-dir", "-d", help="Where shm and file keep objects.", show_default=False)
]
Host = Annotated[str, typer.Option(help="Of redis and zmq.")]
Port = Annotated[int, typer.Option("--store-port", "-p", help="Of redis and zmq; 0: the usual one.")]
Timeout = Annotated[float, typer.Option(metavar="S", help="The longest that an endpoint may take for a round.")]


def proxyfloxy(
    endpoints: File = Path("configs/workstation-endpoints.yml"),
    data_name: Data = "digits",
    samples: Samples = 100,
    epochs: Epochs = 1,
    loops: Loops = 5,
    time_interval: Interval = 3,
    no_proxystore: NoStore = False,
    hidden_blocks: Blocks = "1,10,20,30,40,50",
    trials: Trials = 1,
    connector: Connector = None,
    executor: Where = None,
    limit: Limit = LIMIT,
    store_name: Name = "floxystore",
    store_dir: Directory = None,
    store_host: Host = "127.0.0.1",
    store_port: Port = 0,
    timeout: Timeout = 600,
    seed: Annotated[int, typer.Option(help="Of samples, weights and training.")] = 0,
    data_root: DataRoot = None,
    out: Out = Path("out"),
    as_json: Json = False,
) -> None:
    """Sweep models over endpoints, in the messages and by reference: ProxyFloxy's experiment, with its CSV."""
    from horae.proxyfloxy.endpoints import read_endpoints
    from horae.proxyfloxy.planes import connector_name
    from horae.proxyfloxy.rounds import Sweep
    from horae.proxyfloxy.sites import executor_name
    from horae.proxyfloxy.sweep import check

    who, blocks = read_endpoints(endpoints), _blocks(hidden_blocks)
    root = data_root.absolute() if data_root else None
    plan = Sweep(who, data_name, root, samples, epochs, loops, time_interval, blocks, trials, seed, timeout)
    where, store = executor_name(executor, who), connector_name(connector, who)
    require(limit >= 0, "--limit", "be at least 0", limit)
    check(plan)
    check_writable(out / "data")
    file = out / "data" / f"results_{datetime.now().isoformat().replace('T', '_')}.csv"
    arms = _Arms(limit, None if no_proxystore else store, store_dir, store_host, store_port)
    rows, stopped = _swept(plan, arms, where, file, quiet=as_json)
    facts = _facts(rows, plan, limit, file, store_name)
    if not printed(facts, as_json):
        _show(facts)
    if stopped:
        raise Stopped(f"interrupted; the {len(rows)} rows so far are in {file}" if rows else "interrupted; no rows yet")
    if not any(row.ok for row in rows):
        raise RunError(f"no endpoint's update came through ({rows[0].status}); see {file}")


@dataclass(frozen=True)
class _Arms:
    """What models travel in. store: the name of the second arm's connector, or None for one arm."""

    limit: int
    store: str | None
    directory: Path | None
    host: str
    port: int

    def opened(self, stack: ExitStack, endpoints: Endpoints) -> list[tuple[Carrier, str]]:
        """Both, each with its connector's name; the plane ends with the stack."""
        from horae.proxyfloxy.carriers import ByReference, InMessages
        from horae.proxyfloxy.planes import opened_plane

        arms: list[tuple[Carrier, str]] = [(InMessages(self.limit), "")]
        if self.store is not None:
            plane = opened_plane(self.store, endpoints, self.directory, self.host, self.port)
            stack.callback(plane.close)
            arms.append((ByReference(plane, self.limit), self.store))
        return arms


def _swept(plan: Sweep, arms: _Arms, where: str, file: Path, quiet: bool) -> tuple[list[Row], bool]:
    """The rows, and whether somebody stopped it: after the round in flight, or at once."""
    from horae.proxyfloxy.sites import sites
    from horae.proxyfloxy.sweep import Hooks, run_sweep

    rows: list[Row] = []
    console = Console(stderr=True)
    try:
        with ExitStack() as stack:
            asked = stack.enter_context(stopping(console))
            carriers = arms.opened(stack, plan.endpoints)
            workers = stack.enter_context(sites(where, plan.endpoints))
            steps = len(carriers) * len(plan.blocks) * plan.trials * plan.loops
            told = stack.enter_context(progress(console, quiet, steps))
            run_sweep(plan, carriers, workers, where, file, Hooks(told, asked), rows)
            return rows, asked()
    except KeyboardInterrupt:
        return rows, True


def _blocks(words: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in words.split(","))
    except ValueError:
        raise ConfigError(f"--hidden-blocks should be numbers such as 1,10,20, got {brief(words, 60)}") from None


def _facts(rows: list[Row], plan: Sweep, limit: int, file: Path, store_name: str) -> dict[str, Any]:
    """Write the page, and say in plain data what came out."""
    from horae.proxyfloxy.page import sweep_page
    from horae.proxyfloxy.sweep import gains, mean_transfer

    if not rows:
        return {}
    page = file.with_suffix(".html")
    each = f"{plan.samples} images of {plan.data} each"
    write_whole(page, sweep_page(rows, limit, each, store_name))
    means, change = mean_transfer(rows), gains(rows)
    models = [
        {
            "store": store, "blocks": blocks,
            "rows": sum((row.store, row.num_hidden_blocks) == (store, blocks) for row in rows),
            "ok": sum(row.ok and (row.store, row.num_hidden_blocks) == (store, blocks) for row in rows),
            "transfer_s": means.get((store, blocks)), "change": change.get(blocks) if store != "no_store" else None,
        }
        for store, blocks in dict.fromkeys((row.store, row.num_hidden_blocks) for row in rows)
    ]  # fmt: skip
    return {
        "models": models,
        "rows": len(rows),
        "failed": sum(not row.ok for row in rows),
        "csv": str(file),
        "page": str(page),
    }


def _show(facts: dict[str, Any]) -> None:
    if not facts:
        return
    print("blocks  store       rows  came  transfer  change")
    for one in facts["models"]:
        seconds = "-" if one["transfer_s"] is None else f"{one['transfer_s']:.3f} s"
        change = "" if one["change"] is None else f"{100 * one['change']:+.1f}%"
        print(
            f"{one['blocks']:<6}  {one['store']:<10}  {one['rows']:>4}  {one['ok']:>4}  {seconds:>8}  {change}".rstrip()
        )
    print(f"rows: {facts['csv']}\nreport: {facts['page']}")


@contextmanager
def progress(console: Console, quiet: bool, steps: int) -> Iterator[Callable[[str], None]]:
    """A bar of rounds on a terminal; nothing elsewhere."""
    columns = (TextColumn("{task.description:>22}"), BarColumn(30), TextColumn("{task.completed}/{task.total} rounds"))
    off = quiet or not console.is_terminal
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=off, transient=True) as bar:
        task = bar.add_task("endpoints start", total=steps)
        yield lambda words: bar.update(task, advance=1, description=words)
