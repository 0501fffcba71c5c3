"""Test reading pictures on workers: order, numbers, resuming, bad pictures, a worker that is killed, archives."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.backend import SHIPPED
from edge.cluster import client, dask_cluster
from edge.cluster.client import Plan, read_in_order, read_pictures
from edge.cluster.progress import duration
from edge.cluster.resume import Done, read_done
from edge.cluster.worker import Job, Outcome, Picture
from edge.errors import UsageError
from edge.meter import Meter
from edge.model_file import file_bytes, read_model_file
from edge.opencv import cv2
from edge.options import parse_args
from edge.picture import encode_picture, read_bytes, read_picture
from edge.run import main
from edge.source import open_source
from edge.sources import archive as archive_module
from edge.sources.demo import PHOTOGRAPH
from edge.sources.pictures import Pictures
from edge.stopping import Stop
from tests.conftest import ROOT
from tests.edge.samples import MemorySink, make_reading


class Ended(Exception):
    """Stand in for KilledWorker."""


class Threads:
    """Run functions on threads of this process, as a cluster of two workers would on its own."""

    ended = Ended

    def __init__(self, workers: int | str = 2) -> None:
        self._executor = ThreadPoolExecutor(1)
        self.submitted = 0

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        self.submitted += 1
        return self._executor.submit(function, *args)

    def workers(self) -> int:
        return 2

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by name: `bad` cannot be decoded, `wide` is too much for the detector, `ends` ends its worker."""

    def read_batch(_: object, pictures: Sequence[Picture]) -> list[Outcome]:
        kinds = {
            "bad": Outcome(error="cannot decode", is_decoded=False),
            "wide": Outcome(error="too wide"),
        }
        if any(picture.name.startswith("ends") for picture in pictures):
            raise Ended
        return [kinds.get(picture.name.split("-")[0], Outcome([make_reading()])) for picture in pictures]

    class Child:
        """Stand in for a child process."""

        def __init__(self, *_: object) -> None:
            return

        def __enter__(self) -> Child:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def submit(self, _: object, __: object, pictures: Sequence[Picture]) -> Future[Any]:
            future: Future[Any] = Future()
            try:
                future.set_result(read_batch(None, pictures))
            except Ended:
                future.set_exception(BrokenExecutor())
            return future

    monkeypatch.setattr(client, "read_batch", read_batch)
    monkeypatch.setattr(client, "ProcessPoolExecutor", Child)
    monkeypatch.setattr(client, "BATCH", 3)


def read_all(names: Sequence[str], done: Done | None = None, repeated: int = 0, *options: str) -> list[tuple[int, str]]:
    """Return frame number and name of what reaches the sinks."""
    pictures = [Picture(name, name) for name in names]
    sink = MemorySink()
    source = open_source(str(PHOTOGRAPH))
    assert isinstance(source, Pictures)
    job = Job(parse_args(None, ["x", *options]), "", read_bytes)
    with Threads() as cluster:
        read_pictures(Plan(pictures, done or Done(), source, repeated), job, cluster, [sink], Meter())
    assert source.skipped == sum(not name.startswith("good") for name in names)
    return [(frame.index, str(frame.name)) for frame in sink.frames]


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("good-1 good-2 good-3 good-4", "0 1 2 3"),
        ("good-1 bad-1 good-2 wide-1 good-3", "0 1 3"),  # a picture that cannot be decoded has no number
        ("good-1 ends-1 good-2 good-3 ends-2 good-4", "0 1 2 3"),  # the innocent of such a batch are read
        ("ends-1 ends-2 ends-3", ""),
    ],
)
def test_numbers_are_those_of_one_process(names: str, expected: str) -> None:
    read = read_all(names.split())
    assert [index for index, _ in read] == [int(index) for index in expected.split()]
    assert [name for _, name in read] == [name for name in names.split() if name.startswith("good")]


@pytest.mark.usefixtures("batches")
def test_numbers_continue_and_repeated_bad_pictures_take_none() -> None:
    assert read_all(["wide-1", "good-7", "wide-2", "good-9"], Done(frozenset("x"), 7), 1) == [
        (7, "good-7"),
        (9, "good-9"),
    ]
    assert len(read_all([f"good-{i}" for i in range(9)], None, 0, "--max-frames", "4")) == 4


def test_batches_end_in_any_order_and_few_are_sent_ahead() -> None:
    names = [f"{i:04}" for i in range(client.BATCH * 30)]
    ahead = []

    class Unruly(Threads):
        """End batches in an order of its own."""

        def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
            self.submitted += 1
            future: Future[Any] = Future()
            outcomes = [Outcome() for _ in args[1]]
            delay_s = 0.002 * (self.submitted % 4)
            threading.Timer(delay_s, future.set_result, [outcomes]).start()
            return future

    cluster = Unruly()
    read = []
    for picture, _ in read_in_order(cluster, Any, [Picture(name, name) for name in names], Stop(), lambda: None):
        read.append(picture.name)
        ahead.append(cluster.submitted - len(read) // client.BATCH)
    assert read == names
    assert max(ahead) <= max(client.MIN_BATCHES, 2 * client.BATCHES_A_WORKER) + 1


def test_a_run_that_is_stopped_ends_at_once() -> None:
    class Stuck(Threads):
        def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
            return Future()

    stop = Stop()
    threading.Timer(0.1, stop.set).start()
    start_s = time.monotonic()
    assert list(read_in_order(Stuck(), Any, [Picture("a", "a")], stop, lambda: None)) == []
    assert time.monotonic() - start_s < 5


def test_a_busy_worker_does_not_hold_up_the_end() -> None:
    limits = []

    class Nanny:
        async def close(self, timeout: float) -> None:
            limits.append(timeout)
            raise TimeoutError

    asyncio.run(dask_cluster._close_workers(SimpleNamespace(workers={0: Nanny(), 1: Nanny()})))
    assert len(limits) == 2
    assert max(limits) < 2


LINE = '{{"frame": {}, "time": 0.0, "file": "{}", "faces": []}}\n'
HEAD = "frame,time,id,file\n"


@pytest.mark.parametrize(
    ("name", "content", "names", "frames", "kept"),
    [
        ("e.jsonl", LINE.format(0, "a") + LINE.format(2, "b"), "a b", 3, None),
        ("e.jsonl", LINE.format(0, "a") + LINE.format(1, "b")[:-9], "a", 1, LINE.format(0, "a")),
        ("e.jsonl", LINE.format(0, "a")[:-1], "", 0, ""),
        ("e.csv", HEAD, "", 0, ""),
        ("e.csv", HEAD + "0,0,1,a\n0,0,2,a\n1,0,1,b\n", "a", 1, HEAD + "0,0,1,a\n0,0,2,a\n"),  # b may have more faces
        ("e.csv", HEAD + "0,0,1,a\n1,0,1,b\n2,0,", "a", 1, HEAD + "0,0,1,a\n"),
        ("e.csv", HEAD + '0,0,1,"a\nx"\n1,0,1,b\n2,0,1,c\n', "a\nx|b", 2, HEAD + '0,0,1,"a\nx"\n1,0,1,b\n'),
    ],
)
def test_what_an_events_file_has_ends_at_its_last_whole_picture(
    tmp_path: Path, name: str, content: str, names: str, frames: int, kept: str | None
) -> None:
    (tmp_path / name).write_text(content)
    done = read_done(tmp_path / name)
    assert done.names == frozenset(names.split("|" if "|" in names else None))
    assert (done.frames, done.size) == (frames, len(content if kept is None else kept))


@pytest.mark.parametrize("content", ["a poem\n", "[]\n", '{"frame": 0, "time": 0.0, "faces": []}\n', "\xff\n"])
def test_a_file_without_events_of_pictures_is_left_alone(tmp_path: Path, content: str) -> None:
    for name in ("e.jsonl", "e.csv"):
        (tmp_path / name).write_text(content + content)
        with pytest.raises(UsageError, match="expected events of pictures"):
            read_done(tmp_path / name)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of pictures in a folder of its own, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    write_pictures(folder, 6)
    (folder / "3.bad.jpg").write_bytes(b"\xff\xd8")
    return folder


def write_pictures(folder: Path, count: int) -> None:
    """Write a face at different sizes, and a picture without one."""
    face = read_picture(PHOTOGRAPH)
    for i in range(count):
        image = face[300:, :60] if i == 1 else cv2.resize(face, None, fx=0.2 + i % 3 / 20, fy=0.2 + i % 3 / 20)
        (folder / f"{i:03}.jpg").write_bytes(encode_picture(image, ".jpg"))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@pytest.mark.parametrize("torn", [0, 0.3, 0.7])
def test_events_are_those_of_one_process_also_after_an_interruption(
    photos: Path, suffix: str, torn: float, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(client, "DaskCluster", Threads)
    one, many = Path(f"one{suffix}"), Path(f"many{suffix}")
    assert main(["photos", "--no-display", "--events", str(one)]) == 2
    many.write_bytes(one.read_bytes()[: int(one.stat().st_size * torn)])
    assert main(["photos", "--workers", "2", "--events", str(many)]) == 2
    assert many.read_bytes() == one.read_bytes()
    skipped = [line for line in capfd.readouterr().err.splitlines() if "3.bad.jpg" in line]
    assert len(skipped) == 2
    assert skipped[0] == skipped[1]
    frames = main(["photos", "--workers", "2", "--events", str(many)])
    assert (frames, many.read_bytes()) == (2, one.read_bytes()), "a third run reads the bad picture alone"


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "DaskCluster", Threads)


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("day2 --workers 2", "the folder was {here}/day1, is {here}/day2"),
        ("moved --workers 2", "the folder was {here}/day1, is {here}/day2"),  # a link that now leads elsewhere
        ("day1/** --workers 2", "the folder was {here}/day1/sub, is {here}/day1"),
        ("day1 --workers 2 --smallest 64", "--smallest was None, is 64"),
        ("day1 --workers 2 --uncertain-below 0.5", "--uncertain-below was 0.4, is 0.5"),
        ("day1 --workers 2 --detector haar", "--detector was yunet, is haar"),
        ("day1 --workers 2 --neutral day1/000.jpg", "--neutral was None, is "),
        ("day1 --workers 2 --model model.tflite", "--model was "),
    ],
)
def test_a_run_that_would_read_otherwise_does_not_continue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("day1", "day2", "day1/sub"):
        Path(folder).mkdir()
        write_pictures(Path(folder), 1)
    Path("moved").symlink_to("day1")
    model = read_model_file(SHIPPED)
    card = replace(model.card, architecture="another")
    Path("model.tflite").write_bytes(file_bytes(Path("model.tflite"), model.graph, card))
    first = {"moved": "moved", "day1/**": "day1/sub/*.jpg"}.get(arguments.split()[0], "day1")
    assert main([first, "--workers", "2", "--events", "e.jsonl"]) == 0
    Path("moved").unlink()
    Path("moved").symlink_to("day2")
    before = Path("e.jsonl").read_bytes()
    assert main([*arguments.split(), "--events", "e.jsonl"]) == 2
    error = capfd.readouterr().err.splitlines()[-1]
    assert message.format(here=tmp_path) in error
    assert Path("e.jsonl").read_bytes() == before
    assert main([first, "--no-display", "--events", "e.jsonl"]) == 0
    assert not list(tmp_path.glob(".*")), "one process replaces the events, so the notes are no longer theirs"


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("name", ["e.csv", "e.jsonl"])
def test_events_with_other_labels_or_names_are_not_continued(
    photos: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    events = Path(name)
    assert main(["photos", "--no-display", "--events", name]) == 2
    sound = events.read_text()
    for old, new, message in (("surprise", "awe", "awe"), ("004.jpg", "gone.jpg", "found others, as gone.jpg")):
        events.write_text(sound.replace(old, new))
        assert main(["photos", "--workers", "2", "--events", name]) == 2
        assert message in capfd.readouterr().err.splitlines()[-1]
        assert events.read_text() == sound.replace(old, new)


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes that are not UTF-8")
@pytest.mark.usefixtures("workers")
def test_pictures_that_events_cannot_tell_apart_are_refused(photos: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in (b"bad\\xe9.jpg", b"bad\xe9.jpg"):
        (photos / os.fsdecode(name)).write_bytes(PHOTOGRAPH.read_bytes())
    assert main(["photos", "--workers", "2", "--events", "e.jsonl"]) == 2
    assert "found 2 named bad" in capfd.readouterr().err.splitlines()[-1]


@pytest.mark.usefixtures("workers")
def test_the_rate_of_workers_counts_from_the_first_batch(photos: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start_s = time.perf_counter()
    assert main(["photos", "--workers", "2", "--events", "e.jsonl", "--stats", "s.json"]) == 2
    most_s = time.perf_counter() - start_s
    stats = json.loads(Path("s.json").read_text())
    assert stats["fps"] == pytest.approx(6 / stats["seconds"], rel=0.02)
    assert 0.01 < stats["seconds"] < most_s, "six pictures of one batch, which arrive at the same moment"
    assert stats["workers"] == 2
    assert "detections" not in stats
    assert "a second, workers: 2" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("demo --workers 2 --events e.jsonl", "expected pictures for --workers, found demo"),
        ("photos --workers 2 --record out", "found --record"),
        ("photos --workers 2 --events old.jsonl --events new.csv", "expected one --events to continue"),
        ("photos --workers 2 --events old.jsonl", "found others, as another"),
        ("photos --workers 2 --neutral 3", "--neutral 3"),
        ("photos --workers 2 --events e.jsonl", "pip install '.[cluster]'"),
        ("s3://bucket/photos", "pip install '.[cluster]'"),
    ],
)
def test_what_does_not_go_with_workers_is_one_line(
    photos: Path, arguments: str, message: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    Path("old.jsonl").write_text(LINE.format(0, "another"))
    assert main(arguments.split()) == 2
    assert message in capfd.readouterr().err.splitlines()[-1]
    assert Path("old.jsonl").read_text() == LINE.format(0, "another")
    assert not Path("e.jsonl").exists()


def test_a_pattern_gives_each_picture_once(photos: Path) -> None:
    assert len(open_source("**/**/*.jpg").files) == len(list(photos.iterdir()))


@pytest.mark.parametrize("workers", ["0", "two", "-1"])
def test_workers_are_a_number_or_an_address(workers: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([f"--workers={workers}"])
    assert end.value.code == 2
    assert "tcp://host:8786" in capfd.readouterr().err


def test_addresses_of_archives_are_read_as_folders_are(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fsspec = pytest.importorskip("fsspec", reason="needs the extra `cluster`")
    monkeypatch.setattr(client, "DaskCluster", Threads)
    memory = fsspec.filesystem("memory")
    (photos / "notes.txt").write_text("no picture")
    with zipfile.ZipFile("photos.zip", "w") as archive:
        archive.writestr("../evil.jpg", PHOTOGRAPH.read_bytes())
        for file in photos.iterdir():
            archive.write(file, f"some/{file.name}")
            memory.pipe(f"/some/{file.name}", file.read_bytes())
    assert main(["photos", "--no-display", "--events", "one.jsonl"]) == 2
    addresses = ["memory://some", "zip://some/*.jpg::photos.zip", "memory://some/0*.jpg"]
    addresses += ["zip://**/*.jpg::photos.zip", "zip://::file://photos.zip"]
    for number, address in enumerate(addresses):
        for options in (["--no-display"], ["--workers", "2"]):
            events = Path(f"{number}{len(options)}.jsonl")
            assert main([address, *options, "--events", str(events)]) == (0 if "0*" in address else 2)
            assert events.read_bytes() == Path("one.jsonl").read_bytes(), address
    source = open_source(addresses[3])
    assert isinstance(source, Pictures)
    monkeypatch.chdir("photos")  # a worker of a cluster has a folder of its own
    archive_module._open.cache_clear()
    assert source.load(source.pictures[0])
    for address in ("memory://none", "zip://*.jpg::none.zip", "memory://some/*.txt"):
        assert main([address, "--no-display"]) == 2


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (300, "5 min"), (9000, "2 h 30 min"), (300_000, "3 d 11 h")])
def test_time_left_has_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and two workers in processes of their own; return its address and the workers."""
    pytest.importorskip("distributed", reason="needs the extra `cluster`")
    place = tmp_path / "scheduler.json"

    def start(role: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{role}", "--scheduler-file", str(place), *options]
        return subprocess.Popen([*command, "--no-dashboard"], cwd=ROOT, stderr=subprocess.DEVNULL)

    processes = [start("scheduler", "--host", "127.0.0.1", "--port", "0")]
    processes += [start("worker", "--nthreads", "1", "--no-nanny") for _ in range(2)]
    deadline_s = time.monotonic() + 60
    while not place.exists() and time.monotonic() < deadline_s:
        time.sleep(0.1)
    try:
        yield json.loads(place.read_text())["address"], processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheduler: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    write_pictures(Path("photos"), 192)
    address, workers = scheduler
    events = Path("many.jsonl")

    def kill_midway() -> None:
        while workers[0].poll() is None:
            if events.exists() and events.stat().st_size:
                killed_at.append(len(events.read_text().splitlines()))
                workers[0].send_signal(signal.SIGKILL)
                workers[0].wait()
            time.sleep(0.01)

    killed_at: list[int] = []
    thread = threading.Thread(target=kill_midway)
    thread.start()
    assert main(["photos", "--workers", address, "--events", str(events)]) == 0
    thread.join()
    assert 0 < killed_at[0] < 192
    assert workers[1].poll() is None
    assert main(["photos", "--no-display", "--events", "one.jsonl"]) == 0
    assert events.read_bytes() == Path("one.jsonl").read_bytes()
