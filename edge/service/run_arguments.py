"""Prepare the arguments of a run for a service: checked, with absolute inputs, without what a service cannot have."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UsageError
from edge.mqtt.broker import PASSWORD_VARIABLE
from edge.options import RunOptions, parse_args
from edge.redaction import redacted
from edge.source import DEVICES
from edge.sources.camera import Camera
from edge.sources.picamera2 import PiCamera

FETCHING = ("blazeface", "mediapipe")  # detectors that download their model at the first use
FILE_OUTPUTS = ("record", "events", "report", "report-pictures")
NETWORK_OUTPUTS = ("serve", "mqtt")


@dataclass(frozen=True)
class ServiceRun:
    """Describe the run of a service."""

    source: str
    arguments: tuple[str, ...]  # of edge/run.py
    files: tuple[Path, ...]  # that it reads, absolute
    needs_camera: bool
    needs_network: bool
    writes_files: bool


def prepare(arguments: Sequence[str], secrets: str, folder: str) -> ServiceRun:
    """Return the run; a wrong argument ends the program as it would end the run.

    `secrets` is the file for passwords, `folder` the place of what it writes. Raises UsageError for what a service
    cannot do.
    """
    options = parse_args(None, arguments)
    targets = _file_targets(options)
    _check_targets(targets, folder)
    _check_passwords(options, secrets)
    is_live = any(device.accepts(options.source) for device in DEVICES)
    inputs = {path: Path(path).absolute() for path in _inputs(options) if Path(path).exists() or "*" in path}
    added = ["--no-display"] if options.display else []
    added += ["--wait"] if is_live and options.wait_s is None else []
    return ServiceRun(
        options.source,
        (*(_absolute(argument, inputs) for argument in arguments), *added),
        tuple(path for path in inputs.values() if path.exists() and not path.is_relative_to("/dev")),
        PiCamera.accepts(options.source) or Camera.accepts(options.source),
        _needs_network(options),
        bool(targets),
    )


def _inputs(options: RunOptions) -> list[str]:
    """Return what may name a file that the run reads."""
    named = (options.source, options.model, options.detector_model, options.neutral)
    return [str(value) for value in named if value is not None]


def _absolute(argument: str, inputs: dict[str, Path]) -> str:
    """Return the argument with the input that it names, alone or after =, as an absolute path."""
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    return f"{option}{equals}{inputs.get(value) or inputs.get(str(Path(value)), value)}"  # ./FILE is FILE here


def _file_targets(options: RunOptions) -> list[tuple[str, str]]:
    """Return each option that names a file to write, with the file; --events may come more than once."""
    targets = [(f"--{output.name}", output.target) for output in options.outputs if output.name in FILE_OUTPUTS]
    named = {"--stats": options.stats, "--save-neutral": options.save_neutral}
    return targets + [(option, str(path)) for option, path in named.items() if path is not None]


def _check_targets(targets: Sequence[tuple[str, str]], folder: str) -> None:
    """Raise UsageError for a file outside of the service's own folder, where it may not write."""
    for option, target in targets:
        path = Path(target)
        if ".." in path.parts or (path.is_absolute() and not path.is_relative_to(folder)):
            raise UsageError(f"expected {option} with a name, which is written to {folder}, found {target}")


def _check_passwords(options: RunOptions, secrets: str) -> None:
    """Raise UsageError for a broker's password, and warn of others: everybody on the machine can read a unit."""
    texts = [options.source, *(output.target for output in options.outputs)]
    for text in texts:
        if not re.match(r"[a-z0-9+]+://[^/@]*:[^/]*@", text, re.IGNORECASE):
            continue
        if text.startswith("mqtt"):
            raise UsageError(
                "expected --mqtt without a password, which everybody on this machine could read; write the line "
                f"{PASSWORD_VARIABLE}=... to {secrets} and run: sudo chmod 600 {secrets}"
            )
        print(f"note: everybody on this machine will be able to read the password of {redacted(text)}", file=sys.stderr)


def _needs_network(options: RunOptions) -> bool:
    fetches = options.detector in FETCHING and options.detector_model is None
    return "://" in options.source or fetches or any(output.name in NETWORK_OUTPUTS for output in options.outputs)
