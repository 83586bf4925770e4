"""Auxo on points in the plane, to look at: see docs/playground.md."""

from horae.playground.game import Frame, Game, Played, play
from horae.playground.measures import Planted, planted, silhouette
from horae.playground.pictures import write_pictures

__all__ = ["Frame", "Game", "Planted", "Played", "planted", "play", "silhouette", "write_pictures"]
