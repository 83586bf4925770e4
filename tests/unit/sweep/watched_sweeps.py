"""What tests of sweeps share: a file of runs, how they stand, and waiting for what is to come."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from horae.errors import Stopped
from horae.sweep.carrying import sweep


def written(runs, head='slots = ["cpu", "cpu"]', tail=""):
    """A sweep's file. runs: name to how it behaves, as `pretended_runs` says."""
    text = "".join(f'[[run]]\nname = "{name}"\nset = {{ name = "{kind}" }}\n' for name, kind in runs.items())
    Path("heads.toml").write_text(f"{head}\n{text}{tail}\n")
    return "heads.toml"


def told(standing):
    """Run to state."""
    return {row.run: row.state for row in standing.rows}


def wait_for(condition, most_s=30):
    """Wait until something is so."""
    end = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def filled(place, name="events.jsonl"):
    """The first file of this name in a place or below, once something is in it, else None."""
    return next((file for file in Path(place).rglob(name) if file.stat().st_size), None)


def interrupted(file, ready, **options):
    """Begin a sweep, and press Ctrl-C when it is ready; what it says then."""

    def interrupt():
        wait_for(ready)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Stopped) as error:
        sweep(file, **options)
    thread.join()
    return str(error.value)
