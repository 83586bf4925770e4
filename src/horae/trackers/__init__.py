"""Where a run is told while it trains, beside its own log. A new tracker is one file here and one line below."""

from horae.trackers.common import Point, Run, Tracker, check
from horae.trackers.csv_file import Csv
from horae.trackers.mlflow import MLflow
from horae.trackers.telling import Telling
from horae.trackers.tensorboard import TensorBoard
from horae.trackers.trackio import Trackio
from horae.trackers.wandb import WandB

TRACKERS = {"csv": Csv, "tensorboard": TensorBoard, "mlflow": MLflow, "wandb": WandB, "trackio": Trackio}

__all__ = [
    "TRACKERS",
    "Csv",
    "MLflow",
    "Point",
    "Run",
    "Telling",
    "TensorBoard",
    "Tracker",
    "Trackio",
    "WandB",
    "check",
]
