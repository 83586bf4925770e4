"""Sound as log-mel features."""

from __future__ import annotations

import functools
import math
import warnings
from pathlib import Path

import numpy as np

from horae.errors import one_line
from horae.population.readers.common import wrong
from horae.types import Doubles, Floats

RATE, WINDOW, HOP, FFT = 16_000, 400, 160, 512  # samples a second; 25 ms, 10 ms, and what the transform is padded to
BANDS, LOWEST, HIGHEST = 40, 20.0, 8000.0  # Hz
FLOOR = 1e-6  # added to the power before its logarithm is taken
_HANN = np.hanning(WINDOW + 1)[:-1]


def frames_of(seconds: float) -> int:
    """How many whole windows there are.

    >>> frames_of(1.0)
    98
    """
    return 1 + (round(seconds * RATE) - WINDOW) // HOP


def log_mel(path: Path, seconds: float, row: object = None) -> Floats:
    """A WAV file as `(frames, 40)`: ln(mel band power + 10⁻⁶) of 25 ms Hann windows every 10 ms at 16 kHz.

    Channels are averaged, other rates resampled, longer sounds cut and shorter ones filled with silence. Errors:
    DataError. Reading: FedScale computes 32 bands with librosa; 40 bands and these windows are the usual choice.
    """
    wave = _wave(path, seconds, row)
    starts = HOP * np.arange(frames_of(seconds))
    windows = wave[starts[:, None] + np.arange(WINDOW)] * _HANN
    spectrum = np.fft.rfft(windows, FFT)
    power = spectrum.real**2 + spectrum.imag**2
    bands = np.einsum("tf,bf->tb", power, mel_filters())  # not BLAS: the same sums on any number of threads
    features: Floats = np.log(bands + FLOOR).astype(np.float32)
    return features


@functools.cache
def mel_filters() -> Doubles:
    """Triangles `(40, 257)`, evenly spaced between 20 and 8,000 Hz in mel = 2595 log10(1 + f / 700), 1 at their tops.

    Source: the HTK Book, 5.4.
    """
    low, high = (2595 * math.log10(1 + f / 700) for f in (LOWEST, HIGHEST))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    at = np.fft.rfftfreq(FFT, 1 / RATE)
    rise = (at - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - at) / (edges[2:] - edges[1:-1])[:, None]
    filters: Doubles = np.maximum(0.0, np.minimum(rise, fall))
    filters.setflags(write=False)
    return filters


def _wave(path: Path, seconds: float, row: object) -> Doubles:
    """Amplitudes in [-1, 1] at 16 kHz, of that length."""
    from scipy.io import wavfile  # only who hears sounds waits for scipy's signals

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # chunks that scipy does not know
            rate, sound = wavfile.read(path)
        if not len(sound) or not 1000 <= rate <= 400_000:
            raise ValueError(f"{len(sound)} samples at {rate} Hz")
    except FileNotFoundError:
        raise wrong(path, "is missing, though it is named; put it there", row) from None
    except Exception as error:  # scipy has many words for a broken file
        raise wrong(path, f"is no WAV file that can be read ({one_line(error, 60)}); fetch it again", row) from None
    wave = sound.astype(np.float64)
    if sound.dtype.kind in "iu":
        half = float(2 ** (8 * sound.dtype.itemsize - 1))
        wave = (wave - (half if sound.dtype.kind == "u" else 0)) / half
    wave = wave[: math.ceil(seconds * rate)]
    wave = wave if wave.ndim == 1 else wave.mean(axis=1)
    if rate != RATE:
        from scipy.signal import resample_poly

        shared = math.gcd(rate, RATE)
        wave = resample_poly(wave, RATE // shared, rate // shared)
    fitted = np.zeros(round(seconds * RATE))
    wave = np.nan_to_num(wave[: fitted.size])
    fitted[: wave.size] = wave
    return fitted
