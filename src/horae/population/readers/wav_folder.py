"""Folders of WAV files, as Google's Speech Commands are published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from horae.errors import one_line, require
from horae.population.base import Population
from horae.population.files import located
from horae.population.pool import Pool
from horae.population.readers.audio import BANDS, frames_of, log_mel
from horae.population.readers.cache import decoded, key_of
from horae.population.readers.common import Sharing, first_missing, insist, numbered, wrong


@dataclass(frozen=True)
class WavFolder(Sharing):
    """DIR/<label>/<client>_*.wav as log-mel features, `(frames, 40)` float32; a client is a speaker.

    directory: below the data directory. seconds: what a sound is cut or filled to. Folders whose names begin with "_"
    or "." are left out (Speech Commands' _background_noise_). Files listed in DIR/testing_list.txt are set aside for
    testing. Decoded once.
    """

    directory: str = "speech_commands"
    seconds: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0.1 <= self.seconds <= 60, "population.seconds", "be in [0.1, 60]", self.seconds)

    def missing(self, data_root: Path | None) -> str | None:
        """Why it cannot be built from this data directory, in one line, or None if it can."""
        return first_missing([located(data_root, self.directory)], "<label>/<client>_*.wav")

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        insist(self.missing(data_root))
        return self.people(self._pool(data_root), "wav-folder", seed)

    def _pool(self, data_root: Path | None) -> Pool:
        directory = located(data_root, self.directory)
        names = _wavs(directory)
        labels = sorted({name.partition("/")[0] for name in names})
        owners = [_speaker(directory, name) for name in names]
        stamps = (
            f"{name} {(directory / name).stat().st_size} {(directory / name).stat().st_mtime_ns}" for name in names
        )
        key = key_of({"kind": "wav", "seconds": self.seconds}, map(str.encode, (str(directory), *stamps)))
        shape = (frames_of(self.seconds), BANDS)
        x = decoded(data_root, key, shape, np.float32, names, lambda name: log_mel(directory / name, self.seconds))
        y = np.searchsorted(labels, [name.partition("/")[0] for name in names]).astype(np.int64)
        listed = directory / "testing_list.txt"
        tested = None
        if listed.is_file():
            kept = set(listed.read_text("utf-8", "replace").split())
            tested = np.array([name in kept for name in names])
        about = f"sounds of {one_line(directory, 120)}: {len(labels)} words, {len(set(owners))} speakers"
        return Pool(x, y, len(labels), numbered(owners), tested, about=about)


def _wavs(directory: Path) -> list[str]:
    """`label/file.wav` of all files, in order."""
    try:
        folders = sorted(f for f in directory.iterdir() if f.is_dir() and f.name[0] not in "._")
        names = [f"{f.name}/{file.name}" for f in folders for file in sorted(f.iterdir()) if file.suffix == ".wav"]
    except OSError as error:
        raise wrong(directory, f"cannot be read ({error.strerror}); open it to you") from None
    if not names:
        raise wrong(directory, "should hold <label>/<client>_*.wav, got no such file")
    return names


def _speaker(directory: Path, name: str) -> str:
    speaker, _, rest = name.rpartition("/")[2].partition("_")
    if not speaker or not rest:
        raise wrong(directory / name, "should be named <client>_<anything>.wav; rename it")
    return speaker
