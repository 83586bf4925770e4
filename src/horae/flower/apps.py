"""The two sides of a Flower app: `app = server_app()` and `app = client_app(...)`."""

from __future__ import annotations

import json
import logging
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flwr.app import ConfigRecord, Context, Message
from flwr.clientapp import ClientApp

from horae.errors import ConfigError, HoraeError, require
from horae.flower.engine.keeping import through
from horae.flower.engine.wire import Node, Parts, closed, opened

if TYPE_CHECKING:  # imported where they are needed: a node starts for every message
    from flwr.serverapp import Grid, ServerApp

    from horae.experiment import Experiment
    from horae.flower.engine.node import Brings
    from horae.runner import Result

LOGGER = logging.getLogger("flwr.horae")
MOST = 1 << 34  # bytes of a model
OURS = ("experiment", "out", "set", "check")  # keys of the run configuration; others with a dot change the experiment


def client_app(data: Brings | None = None, mods: Any = ()) -> ClientApp:
    """A client of the experiment that the server sends.

    data: a function of the node's configuration that returns its samples, a `horae.Population` of one client; None: the
    node plays client number `client` of the population that the experiment names. mods: Flower's, around all messages.
    The node's configuration (--node-config) has `client`, its number, `state-dir`, where its affinity record lasts, and
    `keep-s`, how long a process is kept for the next message (600 s; 0: none).
    """
    app = ClientApp(mods=list(mods))

    def work(message: Message, context: Context) -> Message:
        return answered(message, context, data)

    app.train("round")(work)
    app.query("ask")(work)
    app.query("horae")(work)
    return app


def answered(message: Message, context: Context, data: Brings | None) -> Message:
    """Whatever happens, an answer."""
    held = {name: record for name, record in context.state.items() if isinstance(record, ConfigRecord)}
    state = {
        name: {key: item for key, item in record.items() if isinstance(item, bytes)} for name, record in held.items()
    }
    node = Node(dict(context.node_config), {name: items for name, items in state.items() if name.startswith("horae.")})
    try:
        parts = opened(message.content, MOST)
        said = through(parts, node, data) or _here(parts, node, data)
    except HoraeError as error:
        said = _refused(error)
    for name, items in node.state.items():
        context.state[name] = ConfigRecord(dict(items))
    return Message(closed(said), reply_to=message)


def _here(parts: Parts, node: Node, data: Brings | None) -> Parts:
    from horae.flower.engine.node import answer

    return answer(parts, node, data)


def _refused(error: HoraeError) -> Parts:
    from horae.engines.messages import ClientFailure
    from horae.flower.engine.heads import packed

    return packed(ClientFailure.of(0, error))


def server_app() -> ServerApp:
    """The coordinator of an experiment over Flower's nodes.

    The run configuration has `experiment` (a file beside pyproject.toml or beside the caller; experiment.toml), `out`
    (the run's directory; what was stopped there goes on), `set` (changes of the experiment, "training.lr=0.05 seed=3";
    dotted keys do the same) and `check` (true: ask the nodes which horae they have, and end).
    """
    from flwr.serverapp import ServerApp

    from horae.flower.finding import ROLL

    caller = Path(sys._getframe(1).f_globals.get("__file__", "server.py")).resolve()
    app = ServerApp()

    def main(grid: Grid, context: Context) -> None:
        config = dict(context.run_config)
        try:
            if config.get("check"):
                LOGGER.info("%s%s", ROLL, json.dumps(roll(grid, config, caller.parent)))
                return
            result = conduct(grid, config, caller.parent)
        except HoraeError as error:
            LOGGER.error("%s", error)
            raise
        LOGGER.info("accuracy %.4f, %d cohorts; report: %s", result.accuracy, result.cohorts, result.directory)

    app.main()(main)
    return app


def conduct(grid: Any, config: dict[str, Any], place: Path) -> Result:
    """Carry out the experiment, or go on with it, over the nodes of this grid. Errors: HoraeError."""
    from horae.flower.engine.field import Field
    from horae.runner import run

    experiment = planned(config, place)
    out = Path(str(config.get("out") or f"runs/{experiment.name}")).expanduser()
    field = Field(grid, experiment, out)
    return run(experiment, resume=out, field=field)


def roll(grid: Any, config: dict[str, Any], place: Path) -> dict[str, Any]:
    """{"horae": the version here, "nodes": by id, what each node that is online said of itself}. Nobody is trained."""
    from horae import __version__
    from horae.flower.engine.field import recipe_of
    from horae.flower.engine.nodes import Nodes

    found = Nodes(grid, recipe_of(planned(config, place), "check")).roll()
    return {"horae": __version__, "nodes": {str(node): said for node, said in sorted(found.items())}}


def planned(config: dict[str, Any], place: Path) -> Experiment:
    """The experiment as the run configuration names and changes it. Errors: ConfigError."""
    from horae.experiment import load

    name = str(config.get("experiment") or "experiment.toml")
    files = [Path(name).expanduser(), place / name, place.parent / name]
    file = next((f for f in files if f.is_file()), None)
    if file is None:
        raise ConfigError(f"run-config experiment: there is no {name} in {place} or {place.parent}")
    changes = {key: value for key, value in config.items() if key not in OURS and "." in key}
    experiment = load(file, changes | settings(config.get("set") or ""))
    return replace(experiment, site=replace(experiment.site, executor="flower"))


def settings(words: Any) -> dict[str, Any]:
    """The run configuration's `set`: changes as `horae run --set` takes them, with blanks between. Errors: ConfigError.

    >>> settings("training.lr=0.05 model.name=mlp 'population.degrees=[0.0, 90.0]'")
    {'training.lr': 0.05, 'model.name': 'mlp', 'population.degrees': [0.0, 90.0]}
    """
    from horae.settings import parse_setting

    require(type(words) is str, "run-config set", "be a text of changes", words, 'such as "training.lr=0.05 seed=3"')
    try:
        return dict(parse_setting(word) for word in shlex.split(words))
    except ValueError as error:  # a quotation mark without another
        raise ConfigError(f"run-config set should quote in pairs: {error}") from None
