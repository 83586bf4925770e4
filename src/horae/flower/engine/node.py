"""What a ClientApp does: it introduces itself, trains its client's part of a round, and answers questions.

Flower may start a process for every message, so everything is made when it is needed, and kept as long as that lasts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from flwr.app import ConfigRecord, Context, Message

from horae import __version__
from horae.census.vault import Folder, Held
from horae.engines.members import kept_in
from horae.engines.messages import Answer, ClientFailure, Question, Recipe, Reply, Task
from horae.engines.worker import lend, work
from horae.engines.world import World
from horae.errors import ConfigError, require
from horae.experiment import load
from horae.flower.affinity import Memory
from horae.flower.affinity_bytes import read_messages
from horae.flower.engine.wire import TO_NODES, content, message_of
from horae.population import Card, Population, part
from horae.pure.packing import pack
from horae.types import Plan

Brings = Callable[[Mapping[str, Any]], Population]  # a node's configuration -> its own samples
MOST_NBYTES = 1 << 34  # of a model
RAM = "horae.affinity"
MEMBER = "horae.census"
_made: dict[str, tuple[Plan, World]] = {}


def introduce(message: Message, context: Context, brings: Brings | None) -> Message:
    """Answer with this client's card and the versions that are here."""
    try:
        visit = message_of(message.content, TO_NODES, MOST_NBYTES)
        number = client_of(context.node_config)
        if brings is None:
            whole = load(json.loads(visit.recipe.text)["experiment"])
            people = whole.parts["population"].build(whole.seed, None)
            card = Card.of(people.name, people).only(_within(number, people))
        else:
            card = Card.of("own", _own(brings, context.node_config))
        table = {"client": number, "card": vars(card), "horae": __version__}
        said: Any = Answer(visit.client, pack(table))
    except Exception as error:
        said = ClientFailure.of(0, error)
    return Message(content(said), reply_to=message)


def answer(message: Message, context: Context, brings: Brings | None) -> Message:
    """Do a task, or answer a question."""
    number = -1
    try:
        number = client_of(context.node_config)
        task = message_of(message.content, TO_NODES, MOST_NBYTES)
        said: Any = _answered(task, context, brings, number)
    except Exception as error:
        said = ClientFailure.of(max(number, 0), error)
    return Message(content(said), reply_to=message)


def client_of(config: Mapping[str, Any]) -> int:
    """The number that --node-config gave this node: `client`, else `partition-id`, else -1."""
    found = config.get("client", config.get("partition-id", -1))
    require(type(found) is int and found >= -1, "node-config client", "be a whole number from 0 on", found)
    return int(found)


def _answered(task: Task | Question, context: Context, brings: Brings | None, number: int) -> Any:
    number = task.client if number < 0 else number
    if task.client != number:
        raise ConfigError(f"this node is client {number}, the message is for client {task.client}")
    plan, world = _world(task.recipe, context.node_config, brings, number)
    lend(task.recipe, plan, world)
    if not isinstance(task, Task):
        return _told(task, context, number)
    memory = _memory(json.loads(task.recipe.text)["run"], number, context)
    for serial, letter in read_messages(task.letters, number) if task.letters else ():
        memory.read(plan.clustering, [letter], serial)
    if not context.node_config.get("state-dir"):
        context.state[RAM] = ConfigRecord({"record": memory.save()})
    said = work(task)
    return replace(said, record=memory.dump()) if isinstance(said, Reply) else said


def _told(task: Question, context: Context, number: int) -> Any:
    """Its answer; a census's member is kept where the affinity record is."""
    run = json.loads(task.recipe.text)["run"]
    if place := context.node_config.get("state-dir"):
        with kept_in(Folder(Path(str(place)) / f"census-{hashlib.sha256(run.encode()).hexdigest()[:32]}")):
            return work(task)
    held = context.state.get(MEMBER)
    vault = Held({name: bytes(item) for name, item in held.items()} if isinstance(held, ConfigRecord) else {})
    with kept_in(vault):
        said = work(task)
    if vault.items:
        context.state[MEMBER] = ConfigRecord(dict(vault.items))
    return said


def _memory(run: str, number: int, context: Context) -> Memory:
    """On disk where the node names a state-dir, else in its RAM."""
    if place := context.node_config.get("state-dir"):
        return Memory.open(Path(str(place)), run, number)
    held = context.state.get(RAM)
    return Memory.held(held["record"] if isinstance(held, ConfigRecord) else b"", run, number)


def _world(recipe: Recipe, config: Mapping[str, Any], brings: Brings | None, number: int) -> tuple[Plan, World]:
    """The experiment over this node's own samples; or, where it has none, over those that the experiment names."""
    key = f"{recipe.key}/{number}"
    if key not in _made:
        table = json.loads(recipe.text)
        experiment = load(table["experiment"])
        mine = None if brings is None else part(_own(brings, config), number, table["total"], table["classes"])
        _made.clear()
        _made[key] = experiment.plan(), experiment.world(None, mine)
    return _made[key]


def _own(brings: Brings, config: Mapping[str, Any]) -> Population:
    people = brings(dict(config))
    require(isinstance(people, Population), "client_app data", "return a horae.Population", type(people).__name__)
    require(people.clients == 1, "client_app data", "return one client, this node's", people.clients)
    return people


def _within(number: int, people: Population) -> int:
    require(0 <= number < people.clients, "node-config client", f"be in [0, {people.clients})", number,
            "or give client_app a function that returns this node's own samples")  # fmt: skip
    return number
