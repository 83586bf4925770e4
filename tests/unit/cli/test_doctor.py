"""`horae doctor`: what it tells, and that no check can fail another."""

import json

import pytest
from typer.testing import CliRunner

from horae import doctor
from horae.cli import app
from horae.doctor import Finding, examine, extras, isolated


def test_this_machine_is_fit_and_the_table_says_the_same_as_json(tmp_path):
    words = ("doctor", "--data-root", str(tmp_path))
    told = CliRunner().invoke(app, [*words, "--json"], standalone_mode=False)
    table = json.loads(told.stdout)
    assert (told.return_value, table["fit"]) == (0, True)
    checks = [row["check"] for row in table["checks"]]
    assert {"python", "torch", "numpy", "threads", "cores", "compiler", "data here", "GPU", "/dev/shm"} <= {*checks}
    assert checks.count("kernel") == 3
    assert not [row for row in table["checks"] if "cannot be looked at" in row["found"]]
    here = next(row["found"] for row in table["checks"] if row["check"] == "data here")
    assert "digits-rotated" in here and "mnist-writers" not in here
    assert all(row["remedy"] for row in table["checks"] if row["state"] != "ok")
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, words, standalone_mode=False)
    assert all(check in shown.stdout for check in checks)


def test_what_a_check_dies_of_is_a_note_and_the_others_go_on(monkeypatch):
    def bad():
        yield Finding("first", "fine")
        raise OSError("no\nsuch thing")

    note = Finding("bad", "cannot be looked at: OSError: no such thing", "please report it", "note")
    assert isolated("bad", bad) == [Finding("first", "fine"), note]
    for name in ("_threads", "_kernels", "_gpu", "_memory", "_text", "_python", "_packages", "_extras"):
        monkeypatch.setattr(doctor, name, bad)
    monkeypatch.setattr(doctor, "_data", lambda root: bad())
    assert [one.check for one in examine() if one.state == "note"] == [
        "python", "packages", "extras", "threads", "kernels", "data", "GPU", "/dev/shm", "text",
    ]  # fmt: skip


def test_a_package_that_is_missing_is_wrong_and_the_exit_code_1(monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED", ("no-such-package-7",))
    done = CliRunner().invoke(app, ["doctor", "--json"], standalone_mode=False)
    assert done.return_value == 1
    table = json.loads(done.stdout)
    wrong = [row for row in table["checks"] if row["state"] == "wrong"]
    assert [(row["check"], row["found"], row["remedy"]) for row in wrong] == [
        ("no-such-package-7", "not installed", "pip install no-such-package-7")
    ]
    assert table["fit"] is False


def test_a_package_that_cannot_be_imported_is_wrong(monkeypatch):
    def broken(name):
        raise ImportError("libfoo.so: not found")

    monkeypatch.setattr(doctor, "NEEDED", ("numpy",))
    monkeypatch.setattr(doctor.importlib, "import_module", broken)
    (only,) = doctor._packages()
    assert only.state == "wrong" and "cannot be imported: libfoo.so: not found" in only.found


def test_without_a_compiler_horae_works_and_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor, "KERNELS", {})
    (only,) = doctor._kernels()
    assert (only.found, only.state) == ("none", "note") and "install a C compiler" in only.remedy


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ray>=2.50; extra == 'ray'", {"ray": ["ray"]}),
        ('proxystore[endpoints]>=1.1; extra == "proxystore"', {"proxystore": ["proxystore"]}),
        ("proxystore-ex>=0.1; (python_version > '3') and extra == 'far-off'", {"far-off": ["proxystore-ex"]}),
        ("mypy>=1.15; extra == 'dev'", {}),
        ("numpy>=2.0", {}),
    ],
)
def test_extras_by_the_lines_of_the_metadata(line, found):
    assert extras([line]) == found
