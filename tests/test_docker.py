"""Check what a build and a start with Docker need, without Docker: files, extras, command lines, the health check."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from edge.__main__ import COMMANDS, DEFAULT_COMMAND
from edge.app.command import parse_args as parse_app
from edge.mqtt.broker import Broker
from edge.options import parse_args as parse_run
from edge.web import health
from edge.web.address import Address
from tests.conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
DOCUMENT = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8")
PARSERS = {"app": parse_app, "run": lambda arguments: parse_run(None, arguments)}


def compose(**variables: str) -> dict[str, Any]:
    """Return compose.yaml as Docker Compose reads it with these variables."""
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which the extra app brings")

    def value(match: re.Match[str]) -> str:
        name, _, default = match[1].partition(":")
        return variables.get(name) or default[1:]

    return yaml.safe_load(re.sub(r"\$\{([^}]+)\}", value, COMPOSE))


def parsed(words: list[str]) -> Any:
    """Parse a command line of edge-emotion; a wrong one ends in SystemExit."""
    name = words.pop(0) if words[0] in COMMANDS else DEFAULT_COMMAND
    return PARSERS[name](words)


@pytest.mark.parametrize("arguments", ["", "--mqtt mqtt://mosquitto/hall", "--blur --record /data/out.mp4"])
def test_the_services_have_real_command_lines_on_the_ports_that_are_published(arguments: str) -> None:
    services = compose(EDGE_EMOTION_ARGS=arguments)["services"]
    live, app = (parsed(shlex.split(services[name]["command"])) for name in ("live", "app"))
    serve = {output.name: output.target for output in live.outputs}["serve"]
    assert not live.display
    for service, host, port in (("live", *serve.split(":")), ("app", app.host, app.port)):
        assert str(Address.of(host, int(port)).ip) == "0.0.0.0"
        assert services[service]["ports"][0].endswith(f":{port}")
        assert services[service]["ports"][0].startswith("127.0.0.1:")
        assert f" {port}" in re.search(r"^EXPOSE.*$", DOCKERFILE, re.M)[0]  # type: ignore[index]
    assert int(serve.split(":")[1]) == health.PORT
    if "mqtt" in arguments:
        assert Broker.parse(arguments.split()[1]).host in services


@pytest.mark.parametrize("service", ["live", "app", "mosquitto"])
def test_a_service_may_do_no_more_than_it_needs(service: str) -> None:
    settings = compose()["services"][service]
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert not settings.get("privileged")
    assert all(port.startswith("127.0.0.1:") for port in settings["ports"])


def test_the_image_is_built_of_files_and_extras_that_exist() -> None:
    package = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = set(re.findall(r"^(\w+) = \[", package, re.M))
    used = re.findall(r"EXTRAS[=:] ?([\w,]+)", DOCKERFILE + COMPOSE + DOCUMENT)
    assert len(used) >= 4
    assert {extra for names in used for extra in names.split(",")} <= extras
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.M)
    assert all((ROOT / name).exists() for name in kept)
    assert {"README.md", "LICENSE", "pyproject.toml", "edge"} <= set(kept)  # that setuptools reads
    assert re.search(r"^USER \d+$", DOCKERFILE, re.M)
    assert re.search(r"^ARG BASE=python:3\.\d+-slim-\w+$", DOCKERFILE, re.M)
    assert json.loads(re.search(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.M)[1]) == ["edge-emotion"]  # type: ignore[index]
    check = json.loads(re.search(r"^HEALTHCHECK .*CMD (.*)$", DOCKERFILE, re.M)[1])  # type: ignore[index]
    assert check == ["python", "-m", health.__name__]


def test_the_documented_commands_are_real() -> None:
    lines = re.findall(r"^ {4,}(.*)$", DOCUMENT.replace("\\\n", " "), re.M)
    commands = [shlex.split(line) for line in lines if line.startswith("docker run")]
    assert len(commands) >= 5
    for words in commands:
        parsed(words[words.index("edge-emotion") + 1 :]) if "--version" not in words else None
    variables = set(re.findall(r"\$\{(\w+)", COMPOSE))
    assert variables == set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.M))


@contextmanager
def page(status: int, text: str) -> Iterator[int]:
    """Serve one answer to a request with the right token, and 401 to others; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.headers["Authorization"] == "Bearer secret-of-16-characters"
            self.send_response(status if is_known and self.path == "/healthz" else 401)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "token", "expected", "text"),
    [
        (200, "secret-of-16-characters", 0, "ok"),
        (503, "secret-of-16-characters", 1, "camera lost"),
        (200, None, 0, "set EDGE_EMOTION_TOKEN"),
    ],
)
def test_a_container_is_healthy_while_its_camera_gives_pictures(
    status: int,
    token: str | None,
    expected: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("EDGE_EMOTION_TOKEN", raising=False)
    if token:
        monkeypatch.setenv("EDGE_EMOTION_TOKEN", token)
    with page(status, text) as port:
        assert health.main([str(port)]) == expected
    assert text in capsys.readouterr().out
    assert health.main([str(port)]) == 0  # nothing is served any more
    assert "nothing is served" in capsys.readouterr().out
