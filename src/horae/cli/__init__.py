"""The command line. A command is a function in one of the modules here, and one line below."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from horae.cli import (
    align,
    catalogue,
    census,
    compare,
    deploy,
    diff,
    doctor,
    examples,
    explain,
    explore,
    new,
    newcomers,
    playground,
    proxyfloxy,
    report,
    reproduce,
    run,
    serve,
    split,
    sweep,
    traces,
)
from horae.errors import HoraeError, Stopped

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Federated learning on clients that differ.",
)
data_app = typer.Typer(no_args_is_help=True, help="Populations: what there is, and what is in it.")
new_app = typer.Typer(no_args_is_help=True, help="New things to start from.")
deploy_app = typer.Typer(no_args_is_help=True, help="Real devices, on Flower.")

app.command()(run.run)
app.command()(compare.compare)
app.command()(reproduce.reproduce)
app.command()(sweep.sweep)
app.command()(sweep.status)
app.command()(sweep.stop)
app.command()(report.report)
app.command()(diff.diff)
app.command()(explain.explain)
app.command()(serve.serve)
app.command()(explore.explore)
app.command()(align.align)
app.command()(census.census)
app.command()(newcomers.newcomers)
app.command()(playground.playground)
app.command()(proxyfloxy.proxyfloxy)
app.command("list")(catalogue.list_)
app.command()(catalogue.show)
app.command()(catalogue.cite)
app.add_typer(data_app, name="data")
data_app.command("list")(catalogue.data_list)
data_app.command("describe")(catalogue.data_describe)
data_app.command("split")(split.data_split)
data_app.command("import")(split.data_import)
data_app.command("trace")(traces.trace)
app.add_typer(new_app, name="new")
new_app.command("flower")(new.flower)
app.add_typer(deploy_app, name="deploy")
deploy_app.command("check")(deploy.check)
app.command()(doctor.doctor)
app.command()(catalogue.version)
examples.attach(app)  # last: every command is known


def main() -> None:
    """The `horae` command: a user's mistake is one line on stderr and exit code 2."""
    sys.path.append(os.getcwd())  # last: "mymodule:function" in an experiment may be a file beside it
    try:
        code = app(standalone_mode=False)
    except Stopped as why:
        _fail(str(why), 130)
    except HoraeError as error:
        _fail(str(error), 2)
    except typer.Abort:  # what typer makes of Ctrl-C
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if not hasattr(error, "format_message"):  # not typer's word for a wrong option: a defect of horae
            raise
        words = error.format_message()
        if words.startswith("Usage:"):  # no command at all: the help is the answer
            print(words)
            sys.exit(2)
        _fail(f"{words} (see horae --help)", 2)
    else:
        if code == 130:  # what typer makes of Ctrl-C, of late
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)


def _fail(why: str, code: int) -> NoReturn:
    sys.stderr.write(f"horae: {why}\n")
    sys.exit(code)
