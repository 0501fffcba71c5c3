"""Test the start on boot: the unit, its arguments and user, the messages to systemd, and waiting for a camera."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.errors import SourceError, UsageError
from edge.options import parse_args
from edge.run import choose_outputs
from edge.service import command
from edge.service.run_arguments import prepare
from edge.service.unit import MARK, Unit, quoted
from edge.service.user import service_user
from edge.source import open_source
from edge.sources import live
from edge.sources.live import Absent, Live
from tests.conftest import ROOT
from tests.edge.command import HEADLESS
from tests.edge.test_live import FakeDriver, picture

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="systemd is Linux's")
needs_analyze = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze: apt-get install systemd"
)
MAX_EXPOSURE = 20  # tenths, of systemd-analyze security; a plain service has 96

CAMERA = Unit("cam", "0", ("/bin/true", "0", "--wait"), None, ("video",))
STREAM = Unit("cam", "rtsp://u:p@h/1", ("/bin/true",), "daemon", (), False, True, True)


def analyze(folder: Path, unit: Unit, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = folder / f"{unit.name}.service"
    path.write_text(unit.text())
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"}  # the colon keeps the usual folders
    call = ["systemd-analyze", *arguments, str(path)]
    return subprocess.run(call, capture_output=True, text=True, env=environment, timeout=60)


@needs_analyze
@pytest.mark.parametrize("unit", [CAMERA, STREAM], ids=["camera", "stream"])
def test_systemd_accepts_the_unit_and_rates_it_as_safe(tmp_path: Path, unit: Unit) -> None:
    verified = analyze(tmp_path, unit, "verify", "--man=no")
    complaints = [line for line in verified.stderr.splitlines() if "cam.service" in line]
    assert complaints == [], complaints
    rated = analyze(tmp_path, unit, "security", "--offline=yes", "--no-pager", f"--threshold={MAX_EXPOSURE}")
    assert rated.returncode == 0, rated.stdout


@needs_analyze
@pytest.mark.parametrize("name", ["a b", "50%i", "$HOME ${HOME}", "semi ; colon", "ümlaut"])
def test_odd_paths_reach_systemd_as_they_are(tmp_path: Path, name: str) -> None:
    """Let systemd report the path that it read: the program does not exist."""
    unit = Unit("cam", "0", (f"/nowhere/{name}/python", "x"), None)
    verified = analyze(tmp_path, unit, "verify", "--man=no")
    assert f"Command /nowhere/{name}/python is not executable" in verified.stderr


def test_odd_arguments_are_quoted_and_control_characters_refused() -> None:
    assert quoted("plain-1.mp4") == "plain-1.mp4"
    assert quoted("100%") == '"100%%"'
    assert quoted("") == '""'
    assert quoted('a "b" \\') == '"a \\"b\\" \\\\"'
    assert quoted("$x; y") == '"$x; y"'
    for path in ('/a "b"', "/a\\b", "/it's"):
        with pytest.raises(UsageError, match="without quotes and backslashes"):
            Unit("cam", "0", (path,)).text()
    with pytest.raises(UsageError, match="printable"):
        quoted("a\nUser=root")


def test_unit_opens_only_what_its_source_needs() -> None:
    camera, stream = CAMERA.text(), STREAM.text()
    assert all(f"DeviceAllow=char-{name} rw" in camera for name in ("video4linux", "media", "dma_heap"))
    assert "PrivateDevices" not in camera
    assert "PrivateNetwork=yes" in camera
    assert "DynamicUser=yes" in camera
    assert "DeviceAllow" not in stream
    assert "PrivateDevices=yes" in stream
    assert "AF_INET" in stream
    assert "u:p" not in stream.partition("[Service]")[0]
    assert "User=daemon" in stream
    assert "ProtectHome=read-only" in stream


def test_source_cannot_add_lines_to_the_unit() -> None:
    assert "Description=Edge emotion: a/\nStartLimit" in Unit("cam", "a\\", ("/bin/true", "a\\")).text()
    with pytest.raises(UsageError, match="printable"):
        Unit("cam", "a\nUser=root", ("/bin/true", "a\nUser=root")).text()


def test_journal_keeps_readings_only_without_another_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/none")
    for arguments, expected in (([], ["console", "systemd"]), (["--events", "e.jsonl"], ["events", "systemd"])):
        outputs, _ = choose_outputs(parse_args(None, ["demo", "--no-display", *arguments]))
        assert [output.name for output in outputs] == expected


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my model.tflite").write_bytes(b"")
    (tmp_path / "clip.mp4").write_bytes(b"")
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "expected", "camera", "network"),
    [
        ("", ["--no-display", "--wait"], True, False),
        ("2 --wait 60 --no-display", ["2", "--wait", "60", "--no-display"], True, False),
        ("picamera --events e.jsonl", ["picamera", "--events", "e.jsonl", "--no-display", "--wait"], True, False),
        ("rtsp://h/1", ["rtsp://h/1", "--no-display", "--wait"], False, True),
        ("demo --mqtt mqtt://u@h", ["demo", "--mqtt", "mqtt://u@h", "--no-display"], False, True),
        ("clip.mp4 --detector blazeface", ["HERE/clip.mp4", "--detector", "blazeface", "--no-display"], False, True),
        ("--source=clip.mp4 --no-display", ["--source=HERE/clip.mp4", "--no-display"], False, False),
        ("demo --model ./clip.mp4", ["demo", "--model", "HERE/clip.mp4", "--no-display"], False, False),
        ("demo --model=models/", ["demo", "--model=HERE/models", "--no-display"], False, False),
    ],
)
def test_arguments_become_those_of_a_service(
    here: Path, arguments: str, expected: list[str], camera: bool, network: bool
) -> None:
    run = prepare(arguments.split(), "/etc/cam.env", "/var/lib/cam")
    assert list(run.arguments) == [argument.replace("HERE", str(here)) for argument in expected]
    assert (run.needs_camera, run.needs_network) == (camera, network)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mqtt", "mqtt://u:secret@h"], "chmod 600 /etc/cam.env"),
        (["--events", "/home/me/e.jsonl"], "is written to /var/lib/cam, found /home/me/e.jsonl"),
        (["--stats", "../s.json"], "is written to /var/lib/cam"),
        (["--events", "/home/me/x.jsonl", "--events", "y.csv"], "found /home/me/x.jsonl"),
    ],
)
def test_arguments_that_a_service_cannot_have_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refusal:
        prepare(arguments, "/etc/cam.env", "/var/lib/cam")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("private", "owner", "expected"),
    [
        (None, 0, None),
        ("/home/pi", 65534, "nobody"),
        ("/home/pi/env/bin/python", 4000000, "4000000"),
        ("/root", 0, "refused"),
    ],
)
def test_service_runs_as_the_owner_of_a_program_that_others_cannot_read(
    private: str | None, owner: int, expected: str | None
) -> None:
    def read_stat(path: Path) -> os.stat_result:
        is_folder = path.suffix == "" and path.name != "python"
        mode = (stat.S_IFDIR if is_folder else stat.S_IFREG) | (0o700 if str(path) == private else 0o755)
        return SimpleNamespace(st_mode=mode, st_uid=owner if str(path) == private else 0)  # type: ignore[return-value]

    files = [Path("/root/env/bin/python") if private == "/root" else Path("/home/pi/env/bin/python")]
    if expected == "refused":
        with pytest.raises(UsageError, match="root alone"):
            service_user(files, read_stat)
    else:
        assert service_user(files, read_stat) == expected


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace root's rights, systemctl and the folder of units; return the calls."""
    calls: list[str] = []
    monkeypatch.setattr(command, "UNIT_FOLDER", tmp_path)
    monkeypatch.setattr(command, "service_user", lambda files: None)
    monkeypatch.setattr(command, "_systemctl", lambda *arguments: calls.append(" ".join(arguments)) or "")
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return calls


def test_install_and_uninstall(tmp_path: Path, systemctl: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["install", "--name", "cam", "0", "--events", "e.jsonl", "--fps", "30"]) == 0
    text = (tmp_path / "cam.service").read_text()
    assert text.startswith(MARK)
    assert "/edge/run.py 0 --events e.jsonl --fps 30 --no-display --wait" in text
    assert systemctl == ["daemon-reload", "enable cam.service", "restart cam.service"]
    assert "/var/lib/cam" in capsys.readouterr().out
    assert command.main(["uninstall", "--name", "cam"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert command.main(["uninstall", "--name", "cam"]) == 2
    assert command.main(["status", "--name", "cam"]) == 2


def test_files_that_are_gone_at_boot_are_refused(
    here: Path, systemctl: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "TEMPORARY", (str(here),))
    assert command.main(["install", "clip.mp4"]) == 2
    assert "clip.mp4 in a temporary folder" in capsys.readouterr().err
    assert systemctl == []


@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_foreign_units_stay(
    tmp_path: Path, systemctl: list[str], capsys: pytest.CaptureFixture[str], action: str
) -> None:
    (tmp_path / "cam.service").write_text("[Service]\nExecStart=/bin/other\n")
    assert command.main([action, "--name", "cam"]) == 2
    assert "was not written by edge-emotion" in capsys.readouterr().err
    assert "/bin/other" in (tmp_path / "cam.service").read_text()
    assert systemctl == []


def test_without_root_the_command_with_sudo_is_named(
    systemctl: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert command.main(["install", "photos and more", "--fps", "5"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"run: sudo {sys.executable} {ROOT}/edge/run.py service install" in error
    assert "'photos and more' --fps 5" in error
    assert command.main(["install", "rtsp://u:secret@camera/1?channel=2"]) == 2
    error = capsys.readouterr().err
    assert "edge/run.py service, with the same arguments" in error, "a command with *** would install another source"
    assert "***" not in error.splitlines()[-1]
    assert "secret" not in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["install", "--name", "../x"],
        ["install", "--name", "a.service"],
        ["status", "0"],
        ["start"],
        ["install", "--bad"],
    ],
)
def test_wrong_command_lines_are_refused_in_one_line(
    systemctl: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    try:
        status = command.main(arguments)
    except SystemExit as end:
        status = end.code  # type: ignore[assignment]
    assert status == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert systemctl == []


def receive(listener: socket.socket, end: str, timeout_s: float = 30) -> list[str]:
    """Return the messages up to one that contains `end`."""
    messages: list[str] = []
    deadline_s = time.monotonic() + timeout_s
    while not messages or end not in messages[-1]:
        listener.settimeout(max(0.01, deadline_s - time.monotonic()))
        messages.append(listener.recv(4096).decode())
    return messages


def test_systemd_hears_ready_signs_of_life_and_the_camera_that_is_absent(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        environment = {**HEADLESS, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        call = [sys.executable, "-m", "edge", "/dev/video97", "--wait", "--no-display"]
        with subprocess.Popen(call, cwd=ROOT, env=environment, stdout=-1, stderr=-1, text=True) as run:
            try:
                first = receive(listener, "READY=1")[-1]
                assert "STATUS=camera /dev/video97 is absent: waiting, 0 s" in first
                assert len([receive(listener, "WATCHDOG=1") for _ in range(4)]) == 4, "alive while it waits"
                run.send_signal(signal.SIGTERM)
                receive(listener, "STOPPING=1")
                assert run.wait(10) == 0
            finally:
                run.kill()
            assert run.stderr
            assert "none with this number; cameras on this machine" in (error := run.stderr.read())
            assert error.count("waiting for it") == 1


def test_absent_camera_is_waited_for_like_a_lost_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_INTERVAL_S", 0.01)
    driver = FakeDriver()
    source = Live("0", driver.open, absent=Absent(SourceError("no camera 0"), float("inf")))
    assert source.notice == "no camera 0; waiting for it"
    frames = iter(source)
    absent = next(frames)
    assert (absent.error, absent.index, absent.image.any()) == ("camera 0 is absent: waiting, 0 s", 0, False)
    driver.scripts.append([picture(i) for i in range(5)])
    arrived = next(frame for frame in frames if not frame.error)
    assert arrived.image.any()
    lost = next(frame for frame in frames if frame.error)
    assert "lost" in str(lost.error)
    source.close()


def test_absent_camera_is_an_error_after_the_seconds_and_without_the_option() -> None:
    with pytest.raises(SourceError, match="cannot open camera 97"):
        open_source("97")
    source = open_source("97", wait_s=0.3)
    with source, pytest.raises(SourceError, match="cannot open camera 97"):
        assert [frame.error for frame in source] == []
    with pytest.raises(UsageError, match="camera or a stream with --wait"):
        open_source("demo", wait_s=1.0)
