"""Folders of WAV files, and log-mel features."""

import numpy as np
import pytest
from refusing import refused
from scipy.io import wavfile

from horae.population.readers.audio import BANDS, FLOOR, frames_of, log_mel, mel_filters
from horae.population.readers.wav_folder import WavFolder


def tone(hz, seconds=1.0, rate=16_000):
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def save(path, wave, rate=16_000, dtype=np.int16):
    path.parent.mkdir(parents=True, exist_ok=True)
    most = np.iinfo(dtype).max if np.dtype(dtype).kind in "iu" else 1
    wavfile.write(path, rate, (wave * most).astype(dtype))
    return path


def test_the_filters_are_triangles_that_share_every_frequency():
    filters = mel_filters()
    assert filters.shape == (40, 257)
    assert filters.min() == 0
    assert filters.max() <= 1
    assert (filters.sum(axis=1) > 0).all()
    between = filters.sum(axis=0)[5:235]
    np.testing.assert_allclose(between, 1, atol=1e-9)  # one falls as the next rises


@pytest.mark.parametrize("hz", [440, 1000, 3000])
def test_a_tone_is_loudest_in_the_band_that_holds_it(tmp_path, hz):
    features = log_mel(save(tmp_path / "a.wav", tone(hz)), 1.0)
    assert features.shape == (98, BANDS)
    at = np.argmax(mel_filters()[:, round(hz / 16_000 * 512)])
    assert (np.argmax(features, axis=1) == at).all()


def test_silence_is_the_floor_and_short_sounds_are_filled_with_it(tmp_path):
    features = log_mel(save(tmp_path / "a.wav", tone(440, 0.5)), 1.0)
    np.testing.assert_allclose(features[51:], np.log(FLOOR), rtol=1e-6)
    assert features[:45].max() > 0
    assert log_mel(save(tmp_path / "b.wav", tone(440, 2.0)), 1.0).shape == (98, 40)


def test_other_rates_channels_and_depths_sound_alike(tmp_path):
    plain = log_mel(save(tmp_path / "a.wav", tone(1000)), 1.0)
    floats = log_mel(save(tmp_path / "b.wav", tone(1000), dtype=np.float32), 1.0)
    stereo = log_mel(save(tmp_path / "c.wav", np.stack([tone(1000)] * 2, axis=1), dtype=np.int32), 1.0)
    other = log_mel(save(tmp_path / "d.wav", tone(1000, rate=44_100), 44_100), 1.0)
    loud = plain > plain.max() - 3
    for features in (floats, stereo, other):
        np.testing.assert_allclose(features[5:-5][loud[5:-5]], plain[5:-5][loud[5:-5]], atol=0.05)


def test_a_speaker_is_a_client_and_listed_files_are_set_aside(tmp_path):
    here = tmp_path / "speech_commands"
    for i, name in enumerate(("bed/bb_nohash_0", "bed/aa_nohash_0", "yes/bb_nohash_0", "yes/bb_nohash_1")):
        save(here / f"{name}.wav", tone(300 + 100 * i, 0.3))
    save(here / "_background_noise_" / "hum.wav", tone(50))
    (here / "testing_list.txt").write_text("yes/bb_nohash_1.wav\n")
    people = WavFolder(seconds=0.3).build(0, tmp_path)
    assert people.shape == (frames_of(0.3), 40) == (28, 40)
    assert people.y.tolist() == [0, 0, 1, 1]
    assert [people.train.row(i).tolist() for i in range(2)] == [[0], [1, 2]]  # aa, bb
    assert [people.test.row(i).tolist() for i in range(2)] == [[], [3]]
    assert isinstance(people.x, np.memmap)


def test_broken_folders_are_one_line(tmp_path):
    here = tmp_path / "speech_commands"
    with refused("speech_commands is missing; put <label>/<client>_*.wav there"):
        WavFolder().build(0, tmp_path)
    here.mkdir()
    with refused("should hold <label>/<client>_*.wav, got no such file"):
        WavFolder().build(0, tmp_path)
    file = save(here / "bed" / "bb.wav", tone(300))
    with refused("bed/bb.wav: should be named <client>_<anything>.wav"):
        WavFolder().build(0, tmp_path)
    for data in (b"", b"RIFF", b"<html>", file.read_bytes()[:40]):
        file.with_name("bb_1.wav").write_bytes(data)
        file.unlink(missing_ok=True)
        with refused("bb_1.wav: is no WAV file that can be read"):
            WavFolder().build(0, tmp_path)
