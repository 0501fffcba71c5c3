"""Start on boot: install, remove or show a systemd service that reads a camera.

sudo edge-emotion service install 0 --events events.jsonl       options and source as for `edge-emotion`
edge-emotion service install picamera --mqtt mqtt://cam@broker --dry-run      prints the unit
edge-emotion service status
sudo edge-emotion service uninstall

docs/start-on-boot.md has where files and passwords go.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.arguments import ArgumentParser
from edge.errors import OutputError, UsageError, exit_status
from edge.files import atomic_write
from edge.redaction import redacted
from edge.service.run_arguments import ServiceRun, prepare
from edge.service.unit import Unit, check_name, is_ours
from edge.service.user import HOMES, TEMPORARY, groups, in_folder, service_user

DEFAULT_NAME = "edge-emotion"
UNIT_FOLDER = Path("/etc/systemd/system")
OTHER_FOLDERS = (
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
PROGRAM = Path(__file__).resolve().parents[1] / "run.py"
TIMEOUT_S = 200  # of systemctl: starting takes as long as the first picture


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = ArgumentParser("edge-emotion service", __doc__)
    parser.allow_abbrev = False
    parser.add_argument("action", choices=["install", "uninstall", "status"])
    parser.add_argument("--name", default=DEFAULT_NAME, help="of the service; one for each camera")
    parser.add_argument("--dry-run", action="store_true", help="install: print the unit and change nothing")
    args, rest = parser.parse_known_args(argv)
    if rest and args.action != "install":
        parser.error(f"expected no further arguments with {args.action}, found {rest[0]}")
    return exit_status(lambda: _run(args, rest))


def _run(args: argparse.Namespace, rest: Sequence[str]) -> int:
    if not sys.platform.startswith("linux"):
        raise UsageError("expected Linux with systemd, found another system; start the program by its own means")
    check_name(args.name)
    if args.action == "install":
        return install(args.name, rest, args.dry_run)
    if args.action == "uninstall":
        return uninstall(args.name)
    return status(args.name)


def install(name: str, arguments: Sequence[str], dry_run: bool) -> int:
    """Write the unit and start it, now and at each boot."""
    run = prepare(arguments, f"/etc/{name}.env", f"/var/lib/{name}")
    if dry_run:
        print(_unit(name, run).text(), end="")
        return 0
    _check_root(["install", "--name", name, *arguments])
    path = _own_unit(name)
    text = _unit(name, run).text()
    with atomic_write(path) as tmp:
        tmp.write_text(text, encoding="utf-8")
        tmp.chmod(0o644)
    _systemctl("daemon-reload")
    _systemctl("enable", f"{name}.service")
    _systemctl("restart", f"{name}.service")
    print(f"{name} runs, now and from each boot on; its messages: journalctl -u {name} -f")
    if run.writes_files:
        print(f"its files are in /var/lib/{name}")
    return 0


def _unit(name: str, run: ServiceRun) -> Unit:
    files = [Path(sys.executable), PROGRAM, *run.files]
    for file in files:
        if in_folder(file, TEMPORARY):
            raise UsageError(f"expected files that outlast a restart, found {file} in a temporary folder; move it")
    return Unit(
        name,
        run.source,
        (sys.executable, str(PROGRAM), *run.arguments),
        service_user(files),
        groups(run.source) if run.needs_camera else (),
        run.needs_camera,
        run.needs_network,
        any(in_folder(file, HOMES) for file in files),
    )


def uninstall(name: str) -> int:
    """Stop the service and remove its unit; what it has written stays."""
    _check_root(["uninstall", "--name", name])
    path = _own_unit(name)
    if not path.exists():
        raise UsageError(f"expected a service {name}, found none at {path}")
    _systemctl("disable", "--now", f"{name}.service")
    path.unlink()
    _systemctl("daemon-reload")
    print(f"{name} is removed; what it wrote stays in /var/lib/{name}")
    return 0


def status(name: str) -> int:
    """Print the state of the service; return 0 if it runs, 1 if it does not."""
    if not _own_unit(name).exists():
        raise UsageError(f"expected a service {name}, found none; run: sudo edge-emotion service install")
    keys = ("ActiveState", "SubState", "UnitFileState", "StatusText", "NRestarts")
    answer = _systemctl("show", f"{name}.service", f"--property={','.join(keys)}")
    values = dict(line.partition("=")[::2] for line in answer.splitlines())
    active = values.get("ActiveState") == "active"
    print(f"{name}: {values.get('ActiveState')} ({values.get('SubState')}), at boot: {values.get('UnitFileState')}")
    print(f"state: {values.get('StatusText') or '-'}; restarts: {values.get('NRestarts')}")
    print(f"messages: journalctl -u {name} -n 50")
    return 0 if active else 1


def _own_unit(name: str) -> Path:
    """Return the path of the unit. Raises UsageError if a unit of this name is not ours."""
    path = UNIT_FOLDER / f"{name}.service"
    others = [folder / path.name for folder in map(Path, OTHER_FOLDERS) if (folder / path.name).exists()]
    if path.is_symlink() or (path.exists() and not is_ours(path.read_text(errors="replace"))):
        others.append(path)
    if others:
        raise UsageError(f"{others[-1]} was not written by edge-emotion, and stays; choose another --name")
    return path


def _check_root(arguments: Sequence[str]) -> None:
    """Raise UsageError, with the command to run, unless this process may change services."""
    if not shutil.which("systemctl"):
        raise UsageError(
            "expected Linux with systemd, found no systemctl; start the program by your system's own means"
        )
    if os.geteuid() != 0:
        start = shlex.join(["sudo", sys.executable, str(PROGRAM), "service"])
        command = f"{start} {shlex.join(arguments)}"
        if redacted(command) != command:  # as every message is: what is shown would not run
            command = f"{start}, with the same arguments"
        raise UsageError(f"expected root, which alone may change services; run: {command}")


def _systemctl(*arguments: str) -> str:
    """Run systemctl and return its output. Raises OutputError with its last line."""
    try:
        done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutputError(f"cannot run systemctl {arguments[0]}: {error}") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise OutputError(f"systemctl {' '.join(arguments)} failed: {reason}")
    return done.stdout
