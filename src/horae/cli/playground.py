"""Auxo on points in the plane."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from horae.cli.options import Json, printed
from horae.errors import ConfigError, RunError, brief
from horae.files import check_writable, claimed, is_free, write_whole

if TYPE_CHECKING:
    from horae.playground import Played

Out = Annotated[Path | None, typer.Option(help="Where the pictures go (default: runs/playground-<time>).")]


def playground(
    clients: Annotated[int, typer.Option(help="Points in the plane.")] = 1000,
    per_round: Annotated[int, typer.Option(help="Clients sampled in a round.")] = 50,
    rounds: Annotated[int, typer.Option(help="Rounds.")] = 800,
    centers: Annotated[int, typer.Option(help="Planted heaps.")] = 4,
    std: Annotated[float, typer.Option(help="Standard deviation of a heap.")] = 2.0,
    data_seed: Annotated[int, typer.Option(help="Seed of the points.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of everything else.")] = 0,
    hard: Annotated[bool, typer.Option("--hard", help="An unknown offset each round; a fifth is online.")] = False,
    at: Annotated[str | None, typer.Option(help="Rounds to draw, e.g. 14,100 (default: as in Auxo's README).")] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Watch Auxo find planted heaps: clients are points, cohorts split, pictures and an animation show how."""
    from horae.playground import Game, play, write_pictures

    game = Game(clients, per_round, rounds, centers, std, data_seed, seed, hard, _rounds(at))
    place = out or Path("runs") / time.strftime("playground-%Y%m%d-%H%M%S")
    check_writable(place)
    if not is_free(place):
        raise RunError(f"{place} holds something already; choose another place")
    with claimed(place):
        played = play(game)
        names = write_pictures(played, place)
        write_whole(place / "playground.json", json.dumps(_table(played, names), indent=1) + "\n")
    if not printed({**played.summary, "directory": str(place)}, as_json):
        for line in _words(played, place):
            print(line)


def _rounds(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--at should be rounds such as 14,100,224, got {brief(text)}") from None


def _table(played: Played, names: list[str]) -> dict[str, object]:
    """playground.json: the options, every round's scores, the splits and the pictures."""
    options = {key: value for key, value in vars(played.game).items() if key != "at"} | {"at": played.game.drawn}
    return {
        "options": options,
        "summary": played.summary,
        "splits": played.splits,
        "pictures": names,
        "rounds": played.rounds,
    }


def _words(played: Played, place: Path) -> list[str]:
    """The end of a game, for people."""
    last = played.rounds[-1]
    shown = {name: "-" if value is None else f"{value:.3g}" for name, value in played.summary.items()}
    return [
        f"cohorts              {shown['cohorts']}",
        f"adjusted Rand index  {shown['adjusted_rand_index']} against the {played.game.centers} planted centres",
        f"                     {shown['adjusted_rand_index_merged']} with the two nearest taken for one",
        f"silhouette           {shown['silhouette']}",
        f"clients seen         {last['clients_seen']} of {played.game.clients}",
        *played.splits,
        f"pictures: {place}",
    ]
