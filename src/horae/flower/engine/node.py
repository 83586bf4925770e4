"""What a ClientApp does: it introduces itself, trains its client's part of a round, and answers questions.

Nothing here is of Flower. Everything is made when it is needed, and kept as long as the process lasts: see keeping.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from horae import __version__
from horae.census.vault import Folder, Held
from horae.engines.members import kept_in
from horae.engines.messages import Answer, ClientFailure, Question, Recipe, Reply, Task, Visit
from horae.engines.worker import lend, work
from horae.engines.world import World
from horae.errors import ConfigError, require
from horae.experiment import load
from horae.flower.affinity import Memory
from horae.flower.affinity_bytes import read_messages
from horae.flower.engine.heads import TO_NODES, packed, unpacked
from horae.flower.engine.wire import Node, Parts
from horae.population import Card, Population, part
from horae.pure.packing import pack
from horae.types import Plan

Brings = Callable[[Mapping[str, Any]], Population]  # a node's configuration -> its own samples
RAM = "horae.affinity"
MEMBER = "horae.census"
_made: dict[str, tuple[Plan, World]] = {}


def answer(parts: Parts, node: Node, brings: Brings | None) -> Parts:
    """Introduce this client, do a task, or answer a question."""
    number = -1
    try:
        number = client_of(node.config)
        asked = unpacked(parts, TO_NODES)
        say = _card if isinstance(asked, Visit) else _answered
        said: Any = say(asked, node, brings, number)
    except Exception as error:
        said = ClientFailure.of(max(number, 0), error)
    return packed(said)


def _card(visit: Any, node: Node, brings: Brings | None, number: int) -> Answer:
    """This client's card, and the version that is here."""
    if brings is None:
        whole = load(json.loads(visit.recipe.text)["experiment"])
        people = whole.parts["population"].build(whole.seed, None)
        card = Card.of(people.name, people).only(_within(number, people))
    else:
        card = Card.of("own", _own(brings, node.config))
    return Answer(visit.client, pack({"client": number, "card": vars(card), "horae": __version__}))


def client_of(config: Mapping[str, Any]) -> int:
    """The number that --node-config gave this node: `client`, else `partition-id`, else -1."""
    found = config.get("client", config.get("partition-id", -1))
    require(type(found) is int and found >= -1, "node-config client", "be a whole number from 0 on", found)
    return int(found)


def _answered(task: Any, node: Node, brings: Brings | None, number: int) -> Any:
    number = task.client if number < 0 else number
    if task.client != number:
        raise ConfigError(f"this node is client {number}, the message is for client {task.client}")
    plan, world = _world(task.recipe, node.config, brings, number)
    lend(task.recipe, plan, world)
    if not isinstance(task, Task):
        return _told(task, node, number)
    memory = _memory(json.loads(task.recipe.text)["run"], number, node)
    for serial, letter in read_messages(task.letters, number) if task.letters else ():
        memory.read(plan.clustering, [letter], serial)
    if not node.config.get("state-dir"):
        node.state[RAM] = {"record": memory.save()}
    said = work(task)
    return replace(said, record=memory.dump()) if isinstance(said, Reply) else said


def _told(task: Question, node: Node, number: int) -> Any:
    """Its answer; a census's member is kept where the affinity record is."""
    run = json.loads(task.recipe.text)["run"]
    if place := node.config.get("state-dir"):
        with kept_in(Folder(Path(str(place)) / f"census-{hashlib.sha256(run.encode()).hexdigest()[:32]}")):
            return work(task)
    vault = Held(dict(node.state.get(MEMBER, {})))
    with kept_in(vault):
        said = work(task)
    if vault.items:
        node.state[MEMBER] = dict(vault.items)
    return said


def _memory(run: str, number: int, node: Node) -> Memory:
    """On disk where the node names a state-dir, else in its RAM."""
    if place := node.config.get("state-dir"):
        return Memory.open(Path(str(place)), run, number)
    return Memory.held(node.state.get(RAM, {}).get("record", b""), run, number)


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
