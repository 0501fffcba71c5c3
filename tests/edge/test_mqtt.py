"""Test the reports to an MQTT broker: the URL, when a state is published, and all of it against a real Mosquitto."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from edge.errors import MissingExtra, UsageError
from edge.host import device_id
from edge.labels import EMOTIONS
from edge.mqtt.broker import PASSWORD_FILE_VARIABLE, PASSWORD_VARIABLE, Broker
from edge.mqtt.home_assistant import Topics, config_topic, description
from edge.sinks.mqtt import HEARTBEAT_S, MIN_INTERVAL_S, Mqtt, Schedule
from tests.conftest import ROOT
from tests.edge.samples import make_context, make_frame, make_lost_frame, make_reading

WAIT_S = 20.0
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
SECRET = "s3cret-of-the-broker"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", Broker("broker", 1883, False)),
        ("mqtts://broker", Broker("broker", 8883, True)),
        ("mqtt://u:p@10.0.0.2:1884/home/hall/", Broker("10.0.0.2", 1884, False, "u", "p", "home/hall")),
        ("mqtt://u%40x:p%2F%23@b", Broker("b", 1883, False, "u@x", "p/#")),
        ("mqtt://[::1]:1900", Broker("::1", 1900, False)),
    ],
)
def test_url_is_parsed(url: str, expected: Broker) -> None:
    assert Broker.parse(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        *("broker", "http://broker", "mqtt://", "mqtt://:1883", "mqtt://b:0", "mqtt://b:70000", "mqtt://b:x"),
        *("mqtt://[::1", "mqtt://b/a/+/c", "mqtt://b/a%23", "mqtt://b/$SYS", "mqtt://b/x?y=1", "mqtt://a b"),
        *(f"mqtt://u:{SECRET}/x@b", f"mqtt://u:{SECRET}#x@b", f"mqtt://u:12/{SECRET}@b", f"u:{SECRET}@b"),
        *("mqtt://broker..local", f"mqtt://{'a' * 64}.local"),
        *(f"mqtt://u:{SECRET}@b:x", f"mqtt://:{SECRET}@b"),
    ],
)
def test_wrong_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Broker.parse(url)
    assert SECRET not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_password_comes_from_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from file\n")
    monkeypatch.setenv(PASSWORD_FILE_VARIABLE, str(tmp_path / "password"))
    assert Broker.parse("mqtt://u@b").password == "from file"
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    assert Broker.parse("mqtt://u@b").password == SECRET
    assert SECRET not in repr(Broker.parse("mqtt://u@b"))
    monkeypatch.delenv(PASSWORD_VARIABLE)
    monkeypatch.setenv(PASSWORD_FILE_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(UsageError, match="No such file"):
        Broker.parse("mqtt://u@b")


def test_state_is_published_on_change_and_as_a_heartbeat_never_for_each_frame() -> None:
    schedule = Schedule()
    times = [i / 30 for i in range(30 * 60)]
    steady = [now_s for now_s in times if schedule.is_due("happy", now_s)]
    assert steady == pytest.approx([0, 10, 20, 30, 40, 50], abs=0.1)
    flickering = [now_s for i, now_s in enumerate(times) if schedule.is_due(i % 2, 100 + now_s)]
    assert 60 < len(flickering) <= 60 / MIN_INTERVAL_S
    assert schedule.is_due("happy", 200)
    assert not schedule.is_due("sad", 200.1)
    assert schedule.is_due("sad", 200.5), "a change that came too soon is not lost"
    assert schedule.is_due("sad", 200.5 + HEARTBEAT_S)


def test_device_id_is_stable_and_not_the_machines_own() -> None:
    assert device_id() == device_id()
    assert device_id("hall") != device_id()
    machine_id = Path("/etc/machine-id")
    assert not machine_id.exists() or machine_id.read_text().strip()[:12] != device_id()


def test_description_follows_home_assistants_schema() -> None:
    topics = Topics("base")
    config = description("id", "name", topics, ("glad", "sad"), "1.0", 35, "http://10.0.0.2:8000/")
    assert {"dev", "o", "cmps"} <= set(config)
    assert config["dev"]["configuration_url"] == "http://10.0.0.2:8000/"
    components = config["cmps"]
    assert components["emotion"]["device_class"] == "enum"
    assert components["emotion"]["options"] == ["none", "uncertain", "glad", "sad"]
    assert components["face"]["platform"], components["face"]["device_class"] == ("binary_sensor", "occupancy")
    assert len({item["unique_id"] for item in components.values()}) == len(components) == 6
    for key, item in components.items():
        watched = [entry["topic"] for entry in item["availability"]]
        assert watched == [topics.process] if key in ("fps", "trouble") else [topics.process, topics.camera]
        assert item["availability_mode"] == "all"
        assert (item.get("entity_category") == "diagnostic") == (key in ("fps", "trouble"))


def test_pictures_are_refused() -> None:
    with pytest.raises(UsageError, match="found pictures"):
        Mqtt("mqtt://b", make_context(independent=True))


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(MissingExtra, match=r"pip install '\.\[mqtt\]'"):
        Mqtt("mqtt://b", make_context())


class Mosquitto:
    """Run a broker on a free port of this machine, with these lines of configuration."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        user = [] if os.name != "posix" or os.getuid() else ["user root"]  # else it could not read the folder
        self._config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *user, *lines]) + "\n")
        self.start()

    def start(self) -> None:
        assert MOSQUITTO
        log = (self.folder / "mosquitto.log").open("a")
        self._process = subprocess.Popen([MOSQUITTO, "-c", self._config], stdout=log, stderr=log)
        wait_for(self._answers, "Mosquitto does not start")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Listener:
    """Hear what everybody publishes, retained or not, as a Home Assistant would."""

    def __init__(self, port: int, context: Any = None, user: tuple[str, str] | None = None) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard: list[tuple[str, str, bool]] = []
        self.client = Client(CallbackAPIVersion.VERSION2)
        if context:
            self.client.tls_set_context(context)
        if user:
            self.client.username_pw_set(*user)
        self.client.on_connect = lambda client, *_: client.subscribe("#")
        self.client.on_message = lambda _client, _data, message: self.heard.append(
            (message.topic, message.payload.decode(), message.retain)
        )
        self.client.connect("localhost" if context else "127.0.0.1", port)
        self.client.loop_start()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def payloads(self, end: str) -> list[str]:
        """Return what was heard on the topics that end so."""
        return [payload for topic, payload, _ in self.heard if topic.endswith(end)]

    def wait(self, end: str, payload: str) -> None:
        wait_for(lambda: payload in self.payloads(end), f"no {payload} on {end}")


def wait_for(condition: Callable[[], bool], message: str) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s, message
        time.sleep(0.05)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt (the extra mqtt)")
    if not MOSQUITTO:
        pytest.skip("needs Mosquitto: apt-get install mosquitto")
    server = Mosquitto(tmp_path_factory.mktemp("mosquitto"), "allow_anonymous true")
    yield server
    server.kill()


def last_state(listener: Listener) -> dict[str, Any]:
    wait_for(lambda: bool(listener.payloads("/state")), "no state")
    state: dict[str, Any] = json.loads(listener.payloads("/state")[-1])
    return state


def test_home_assistant_gets_all_of_it(broker: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    with Listener(broker.port) as listener:
        with Mqtt(f"mqtt://127.0.0.1:{broker.port}", replace(make_context(), page="192.0.2.7:8000")) as sink:
            sink.write(make_frame(), [make_reading()])
            listener.wait("/availability", "online")
            listener.wait("/camera", "online")
            state = last_state(listener)
            assert (state["emotion"], state["confidence"], state["face"], state["count"]) == ("happy", 0.7, True, 1)
            assert state["probabilities"]["happy"] == 0.7
            for i in range(100):
                sink.write(make_frame(i), [make_reading()])
            sink.write(make_lost_frame(101), [])
            wait_for(lambda: listener.payloads("/camera")[-1] == "offline", "the camera is not reported as lost")
            count = len(listener.payloads("/config"))
            listener.client.publish("homeassistant/status", "online")
            wait_for(lambda: len(listener.payloads("/config")) > count, "the description is not sent again")
        listener.wait("/availability", "offline")
        time.sleep(0.2)
        assert listener.payloads("/availability")[-1] == "offline", "it answered its own last message"
        assert len(listener.payloads("/state")) <= 4
    identifier = f"edge_emotion_{device_id()}"
    with Listener(broker.port) as late:  # what the broker retains
        wait_for(lambda: len(late.heard) >= 3, "nothing is retained")
        retained = {topic: payload for topic, payload, is_retained in late.heard if is_retained}
    config = json.loads(retained.pop(config_topic(identifier)))
    assert config["dev"]["configuration_url"] == "http://192.0.2.7:8000/"
    assert config["cmps"]["emotion"]["options"] == ["none", "uncertain", *EMOTIONS]
    base = f"edge-emotion/{device_id()}"
    assert retained == {f"{base}/availability": "offline", f"{base}/camera": "offline"}, "no state is retained"
    assert capsys.readouterr().err.count("\n") == 1


def test_broker_that_was_killed_gets_all_again(broker: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    with Mqtt(f"mqtt://127.0.0.1:{broker.port}/hall", make_context()) as sink:
        sink.write(make_frame(), [make_reading()])
        with Listener(broker.port) as listener:
            listener.wait("hall/availability", "online")
        broker.kill()
        start_s = time.monotonic()
        for i in range(5000):
            sink.write(make_frame(i), [])
        assert time.monotonic() - start_s < 5, "the loop waits for the broker"
        broker.start()
        with Listener(broker.port) as listener:
            listener.wait("hall/availability", "online")
            listener.wait("hall/camera", "online")
            assert last_state(listener)["emotion"] == "none", "old news"
    error = capsys.readouterr().err
    assert "connection lost" in error
    assert error.endswith(": connected\n")


def test_will_of_an_older_connection_is_corrected(broker: Mosquitto) -> None:
    with Mqtt(f"mqtt://127.0.0.1:{broker.port}/will", make_context()) as sink, Listener(broker.port) as listener:
        sink.write(make_frame(), [])
        listener.wait("will/availability", "online")
        listener.client.publish("will/availability", "offline", retain=True)
        listener.wait("will/availability", "offline")
        wait_for(lambda: listener.payloads("will/availability")[-1] == "online", "stays offline")


def test_killed_program_is_offline_by_its_last_will(broker: Mosquitto) -> None:
    command = [sys.executable, "-m", "edge", "demo", "--realtime", "--no-display"]
    run = subprocess.Popen([*command, "--mqtt", f"mqtt://127.0.0.1:{broker.port}/killed"], cwd=ROOT)
    try:
        with Listener(broker.port) as listener:
            listener.wait("killed/availability", "online")
            wait_for(lambda: "happy" in "".join(listener.payloads("killed/state")), "no face")
            run.send_signal(signal.SIGKILL)
            listener.wait("killed/availability", "offline")
    finally:
        run.kill()
        run.wait()
    with Listener(broker.port) as late:
        wait_for(lambda: ("killed/availability", "offline", True) in late.heard, "the will is not retained")


def test_broker_that_does_not_answer_holds_up_neither_loop_nor_end(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("paho.mqtt.client")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()  # accepts and never answers
        start_s = time.monotonic()
        with Mqtt(f"mqtt://127.0.0.1:{deaf.getsockname()[1]}", make_context()) as sink:
            for i in range(1000):
                sink.write(make_frame(i), [make_reading()])
        assert time.monotonic() - start_s < 5


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Return the files of a self-signed certificate for a name, and of its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl, to make a certificate")
def test_tls_checks_the_certificate_and_the_password(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import ssl

    certificate, key = make_certificate(tmp_path, "localhost")
    (tmp_path / "passwords").write_text(f"cam:{SECRET}\n")
    hasher = shutil.which("mosquitto_passwd")
    assert hasher
    subprocess.run([hasher, "-U", tmp_path / "passwords"], check=True)
    (tmp_path / "passwords").chmod(0o600)
    files = [f"certfile {certificate}", f"keyfile {key}", f"password_file {tmp_path / 'passwords'}"]
    server = Mosquitto(tmp_path, "allow_anonymous false", *files)
    url = f"mqtts://cam@localhost:{server.port}/tls"

    def message() -> str:
        seen: list[str] = []
        wait_for(lambda: seen.append(capsys.readouterr().err) or "\n" in "".join(seen), "no message")  # type: ignore[func-returns-value]
        return "".join(seen)

    try:
        monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
        with Mqtt(url, make_context()):
            assert "self-signed certificate" in message(), "a certificate that nobody vouches for is refused"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with (
            Mqtt(url, make_context()) as sink,
            Listener(server.port, ssl.create_default_context(), ("cam", SECRET)) as listener,
        ):
            sink.write(make_frame(), [])
            listener.wait("tls/availability", "online")
        capsys.readouterr()
        monkeypatch.setenv(PASSWORD_VARIABLE, "wrong-password")
        with Mqtt(url, make_context()):
            refusal = message()
        assert "Not authorized" in refusal
        assert "wrong-password" not in refusal
    finally:
        server.kill()
