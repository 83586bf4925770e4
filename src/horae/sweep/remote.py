"""Runs on other hosts, by the system's ssh: no password is asked for, and only hosts that are known are spoken to.

Scripts go through ssh's input, so that no path is quoted twice and no value is seen in a list of processes.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from horae.errors import RunError, one_line
from horae.sweep.slots import Host

OPTIONS = ("BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=20", "ServerAliveInterval=15")
_KEPT = ("checkpoints", ".lock", ".process")  # stay where they are
_END = "END-OF-THE-EXPERIMENT"

# Words on the third input: stop asks the run to end its round, kill ends it; so does nobody being there any more.
_RUN = """{{
exec 3<&0
cd -- {directory} || exit 2
{exports}
export HORAE_PARENT=$$
if [ -e {place}/experiment.toml ]; then set -- --resume {place}; else set -- /dev/stdin --out {place}; fi
own=; if command -v setsid >/dev/null; then own=setsid; fi
$own {horae} run "$@" {options} --json <<'{end}' >/dev/null 3<&- &
{experiment}{end}
run=$!
(
  while IFS= read -r word; do
    case $word in
      stop) kill -TERM "$run" ;;
      kill) kill -KILL -- "-$run" || kill -KILL "$run" ;;
    esac
  done
  kill -TERM "$run"
) <&3 >/dev/null 2>&1 &
line=$!
wait "$run"
code=$?
kill "$line" 2>/dev/null
exit "$code"
}}
"""
_STOP = "cd -- {directory} && {horae} stop --wait {wait_s:g} --json -- {place}\n"
_FETCH = "cd -- {directory}/{place} && tar -cf - {less} .\n"


def command(host: Host, script: str) -> list[str]:
    """An ssh that carries out a script, which is to be the first thing on its input."""
    options = [word for option in OPTIONS for word in ("-o", option)]
    reads = f"""sh -c 'eval "$(dd bs=1 count={len(script.encode())} 2>/dev/null)"'"""  # not a byte more
    return ["ssh", "-T", *options, "--", host.ssh, reads]


def run_script(host: Host, place: str, experiment: str, settings: Sequence[str], environment: Mapping[str, str]) -> str:
    """What begins a run, or goes on with it. place: its directory, below the host's. settings: `--set`s."""
    data = ["--data-root", host.data_root] if host.data_root else []
    exports = "\n".join(f"export {key}={shlex.quote(value)}" for key, value in environment.items())
    return _RUN.format(
        **_about(host, place), exports=exports, options=shlex.join([*settings, *data]), experiment=experiment, end=_END
    )


def stop(host: Host, place: str, wait_s: float) -> tuple[str, str]:
    """End a run there as `horae stop` does: how it ended (empty if it did not), and why not."""
    done = _ask(host, _STOP.format(**_about(host, place), wait_s=wait_s), wait_s + 60)
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode:
        return "", one_line(said[-1] if said else f"exit code {done.returncode}", 160)
    try:
        (ended,) = json.loads(done.stdout)["ended"]
        return str(ended["how"]), ""
    except (ValueError, KeyError, TypeError):
        return "", "it has not begun there yet"


def fetch(host: Host, place: str, directory: Path) -> str:
    """Bring a run's files here, all of them or none; why they could not be brought, or nothing."""
    less = " ".join(f"--exclude={name}" for name in _KEPT)
    script, part = _FETCH.format(**_about(host, place), less=less), directory.with_name(directory.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        why = _pulled(command(host, script), script, part)
        if not why:
            shutil.rmtree(directory, ignore_errors=True)
            os.replace(part, directory)
        return why
    except OSError as error:
        return one_line(error, 160)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _pulled(ssh: list[str], script: str, part: Path) -> str:
    """Unpack what an ssh sends; why it could not be, or nothing. Errors: OSError."""
    why = ""
    with tempfile.TemporaryFile() as words:
        with subprocess.Popen(
            ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, start_new_session=True
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.write(script.encode())
                process.stdin.close()
                with tarfile.open(fileobj=process.stdout, mode="r|") as files:
                    _unpack(files, part)
                while process.stdout.read(2**16):  # the end of the archive is not the end of the stream
                    pass
            except (OSError, tarfile.TarError, RunError) as error:
                why = one_line(error, 160)
        words.seek(0)
        said = words.read().decode(errors="replace").strip().splitlines()
    if process.returncode and said:
        return one_line(said[-1], 160)
    return why or (f"exit code {process.returncode}" if process.returncode else "")


def _ask(host: Host, script: str, timeout_s: float) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            command(host, script), input=script.encode(), capture_output=True, timeout=timeout_s, check=False,
            start_new_session=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return subprocess.CompletedProcess([], 255, b"", str(error).encode())


def _about(host: Host, place: str) -> dict[str, str]:
    horae = shlex.join(shlex.split(host.horae))
    return {"directory": shlex.quote(host.directory), "place": shlex.quote(place), "horae": horae}


def _unpack(files: tarfile.TarFile, part: Path) -> None:
    """Plain files and directories, nowhere but below `part`. Errors: RunError for anything else."""
    part.mkdir(parents=True)
    for member in files:
        name = Path(member.name)
        if name.is_absolute() or ".." in name.parts or not (member.isreg() or member.isdir()):
            raise RunError(f"the archive holds {one_line(member.name, 60)}, which is no file of a run")
        if member.isdir():
            (part / name).mkdir(parents=True, exist_ok=True)
        elif (body := files.extractfile(member)) is not None:
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            with (part / name).open("wb") as out:
                shutil.copyfileobj(body, out)
