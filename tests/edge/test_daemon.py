"""Specify the runs without a terminal: closed or full streams, no home, no temporary folder, a full disk."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edge.run
from edge.sources.demo import PHOTOGRAPH
from tests.conftest import ROOT
from tests.edge.command import HEADLESS, read_events
from tests.edge.samples import count_frames

RUN = f"{shlex.quote(sys.executable)} {shlex.quote(str(ROOT / 'edge/run.py'))}"
NAME = "caf\u00e9 \u65e5\u672c.jpg"


def shell(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the shell, where RUN is the program."""
    line = command.replace("RUN", RUN)
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=HEADLESS | environment,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Return a folder with a picture whose name not every terminal can show, and one that is none."""
    (tmp_path / "in").mkdir()
    shutil.copy(PHOTOGRAPH, tmp_path / "in" / NAME)
    (tmp_path / "in" / "damaged.jpg").write_bytes(b"no picture")
    return tmp_path


COMMANDS = {  # reason -> command, exit status
    "no stream is open, and there is no environment": (
        "exec env -i RUN demo --max-frames 3 --events e --record o.avi --stats s <&- >&- 2>&-",
        0,
    ),
    "events go to a closed stream": ("RUN demo --events - >&-", 2),
    "the log is on a full disk": ("RUN in --no-display --events e 2>/dev/full", 2),
    "standard output is on a full disk": ("RUN demo --no-display --events e >/dev/full", 2),
    "the reader has enough": ("RUN demo --events - --stats s | head -1; exit ${PIPESTATUS[0]}", 1),
    "the version does not fit the disk": ("RUN --version >/dev/full", 2),
}


@pytest.mark.parametrize("reason", COMMANDS)
def test_a_run_copes_when(here: Path, reason: str) -> None:
    command, status = COMMANDS[reason]
    done = shell(here, command)
    assert done.returncode == status, done.stderr
    assert done.stderr.count("error: ") == (status == 2 and "2>" not in command)
    if (here / "o.avi").exists():
        assert count_frames(here / "o.avi") == 3
        assert len(read_events(here / "e")) == 3
    if " --stats" in command:
        assert json.loads((here / "s").read_text())["frames"] > 0


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_every_terminal_shows_every_name(here: Path, encoding: str) -> None:
    done = shell(here, "RUN in --no-display", PYTHONIOENCODING=encoding, LANG="C", LC_ALL="C")
    assert done.returncode == 2
    expected = NAME.encode(encoding, "backslashreplace").decode("utf-8", "surrogateescape")
    assert f"{expected}: happy" in done.stdout
    assert "skipped: " in done.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount")
def test_a_run_needs_no_writable_folder(tmp_path: Path) -> None:
    mounts = "mount -t tmpfs -o ro none /tmp && mount -t tmpfs -o ro none /var/tmp && cd /proc"
    done = shell(tmp_path, f"unshare --mount sh -c '{mounts} && exec RUN demo --max-frames 3 --events -'")
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("mounts are not permitted here")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize("name", ["e.jsonl", "e.csv"])
def test_events_end_on_a_whole_line_when_the_disk_is_full(tmp_path: Path, name: str) -> None:
    done = shell(tmp_path, f"ulimit -f 8; RUN demo --no-display --events {name} --stats s")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"cannot write events to {name}: File too large" in done.stderr
    text = (tmp_path / name).read_text()
    assert text.endswith("\n")
    assert len(text) > 7000
    lines = text.splitlines()
    assert len({line.count(",") for line in lines}) == 1 if name.endswith("csv") else all(map(json.loads, lines))
    assert json.loads((tmp_path / "s").read_text())["frames"] >= len(lines) - 1


@pytest.mark.parametrize("name", ["e.jsonl", "e.csv"])
def test_a_start_that_fails_keeps_the_events_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("precious\n")
    common = ["--no-display", "--max-frames", "2", "--events", name]
    for wrong in ("nowhere.mp4", "demo --record nowhere/o.avi", "demo --events new --events nowhere/e"):
        assert edge.run.main([*wrong.split(), *common]) == 2
        assert Path(name).read_text() == "precious\n"
        assert [item.name for item in tmp_path.iterdir()] == [name]
    assert edge.run.main(["demo", *common]) == 0
    assert "precious" not in Path(name).read_text()
