"""Files that are whole or not there; directories for one at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from horae.errors import ConfigError, RunError
from horae.files import LONGEST, check_writable, claimed, is_free, read_toml, unwritable, write_whole


def test_a_file_is_replaced_as_a_whole(tmp_path):
    file = tmp_path / "x"
    write_whole(file, "one")
    write_whole(file, b"two", sync=True)
    assert file.read_text() == "two"
    assert os.listdir(tmp_path) == ["x"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    """A process may write 1000 bytes per file: the disk is full."""
    file = tmp_path / "x"
    file.write_text("old")
    script = """
import resource, sys
from pathlib import Path
from horae.errors import RunError
from horae.files import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole(Path(sys.argv[1]), b"x" * 5000)
except RunError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write {file}: File too large; make room\n"
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["x"]


def test_the_remedy_fits_the_error(tmp_path):
    assert str(unwritable(tmp_path, OSError(28, "No space left on device"))).endswith("device; make room")
    assert str(unwritable(tmp_path, OSError(13, "Permission denied"))).endswith("denied; choose another place")


def test_free_is_a_place_with_nothing_in_it_but_beginnings(tmp_path):
    assert is_free(tmp_path / "none")
    assert is_free(tmp_path)
    for name in (".lock", "experiment.toml.part"):
        (tmp_path / name).touch()
    assert is_free(tmp_path)
    (tmp_path / "notes").touch()
    assert not is_free(tmp_path)


def test_a_place_that_cannot_be_made_is_refused_without_making_it(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file is not a directory; choose another place"):
        check_writable(tmp_path / "file" / "run")
    if os.geteuid():  # root may write everywhere
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(RunError, match="no permission in"):
            check_writable(tmp_path / "closed" / "run")


def test_a_directory_is_one_runs_at_a_time(tmp_path):
    place = tmp_path / "deep" / "run"
    with claimed(place), pytest.raises(RunError, match="is in use by another run"), claimed(place):
        pass
    with claimed(place):
        pass


def test_a_process_that_dies_lets_go(tmp_path):
    script = "import os, sys; from pathlib import Path; from horae.files import claimed\n"
    script += "with claimed(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path / "run")]).returncode == -9
    with claimed(tmp_path / "run"):
        pass


def test_toml_is_read_with_and_without_a_mark_at_its_beginning(tmp_path):
    for data in (b'a = "\xc3\xa9"\n[b]\nc = 1', b'\xef\xbb\xbfa = "\xc3\xa9"\n[b]\nc = 1', b""):
        (tmp_path / "x.toml").write_bytes(data)
        assert read_toml(tmp_path / "x.toml", "sweep file") == ({"a": "é", "b": {"c": 1}} if data else {})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "there is no sweep file 'x.toml'; look again"),
        ("a directory", "cannot read 'x.toml': Is a directory; is it the sweep file?"),
        (b'a = "\xe9"', "cannot read 'x.toml': it is no UTF-8 ('utf-8' codec can't decode byte 0xe9 in position 5"),
        (b"a = 1\nb = = 2\n", "'x.toml' is not TOML: Invalid value (at line 2, column 5)"),
        (b"a = " + b"9" * 5000, "'x.toml' is not TOML: Exceeds the limit"),
        (b"a = " + b"[" * 5000, "'x.toml' is not TOML: maximum recursion depth"),
        (b"#" * (LONGEST + 1), "'x.toml' is longer than any sweep file, 1,048,576 bytes; check the path"),
    ],
)
def test_what_is_no_toml_file_is_refused_in_one_line(data, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = Path("x.toml")
    if isinstance(data, bytes):
        file.write_bytes(data)
    elif data:
        file.mkdir()
    with pytest.raises(ConfigError) as refused:
        read_toml(file, "sweep file", "look again")
    assert str(refused.value).startswith(message)
    assert str(refused.value).isprintable()
