"""Serve a page where a visitor's pictures and webcam are read: box, emotion and probabilities of each face (Gradio).

edge-emotion app                       on this machine alone: http://127.0.0.1:7860/
edge-emotion app --host 0.0.0.0        for the network, with a token; browsers give no webcam to plain http, though
edge-emotion app --share               a public link through Gradio's servers, for up to a week

The page loads nothing from elsewhere, and nothing is reported to anybody. What visitors send is read on this machine
and deleted within 20 minutes, and at the end. See docs/app.md.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.app.gate import Gate
from edge.app.page import open_page, plain_theme
from edge.app.sessions import Sessions
from edge.arguments import ArgumentParser, whole
from edge.backend import SHIPPED, model_path
from edge.detector import DETECTORS
from edge.errors import MissingExtra, OutputError, exit_status
from edge.reader import EmotionReader
from edge.stopping import Stop, stop_on_signals
from edge.web.access import Access, open_access
from edge.web.address import DEFAULT_HOST, Address
from edge.web.app import MAX_PICTURE

PORT = 7860  # Gradio's, which Hugging Face Spaces expect
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}  # Gradio reports nothing


@dataclass(frozen=True)
class AppOptions:
    host: str
    port: int
    share: bool
    model: Path
    detector: str
    detector_model: Path | None


def parse_args(argv: Sequence[str] | None = None) -> AppOptions:
    parser = ArgumentParser("edge-emotion app", __doc__)
    parser.add_argument("--host", default=DEFAULT_HOST, help="address to serve on; 0.0.0.0: for other devices too")
    parser.add_argument("--port", type=whole(0, 65535), default=PORT, help="0: a free one")
    parser.add_argument("--share", action="store_true", help="get a public link from Gradio, for anybody who has it")
    parser.add_argument("--model", type=model_path, default=SHIPPED, metavar="FILE", help=".tflite or .onnx file")
    parser.add_argument(
        "--detector", default="auto", choices=["auto", *DETECTORS], help="auto: the best one that runs here"
    )
    parser.add_argument("--detector-model", type=Path, metavar="FILE", help="model file of the detector")
    return AppOptions(**vars(parser.parse_args(argv)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parse_args(argv)
    return exit_status(lambda: run(options))


def run(options: AppOptions) -> int:
    """Serve until a signal comes. Raises EmotionError for what can be fixed."""
    stop = Stop()
    with stop_on_signals(stop), serving(options) as url:
        print(f"app: {url}", flush=True)
        stop.wait()
    return 0


@contextlib.contextmanager
def serving(options: AppOptions) -> Iterator[str]:
    """Serve while the context lasts; yield the page's address, with the token if it has one. Raises EmotionError."""
    if importlib.util.find_spec("gradio") is None:
        raise MissingExtra("gradio", "app")
    address = Address.of(options.host, options.port)
    is_public = options.share or "SPACE_ID" in os.environ  # which Hugging Face sets
    access = None if is_public else open_access(address)

    def open_reader() -> EmotionReader:
        return EmotionReader(options.model, options.detector, options.detector_model)

    open_reader().close()  # an error in the options ends the command here
    with contextlib.closing(address.listen()) as listener:
        port = int(listener.getsockname()[1])
    with contextlib.closing(Sessions(open_reader)) as sessions, _private_folder():
        page = open_page(sessions)
        try:
            share_url = _launch(page, address, port, access, options.share)
            token = f"?token={access.token}" if access and access.shows_token else ""
            yield share_url or f"{address.url(port)}{token}"
        finally:
            page.close(verbose=False)


def _launch(page: Any, address: Address, port: int, access: Access | None, share: bool) -> str | None:
    """Start to serve in threads; return the public link, if one is asked for. Raises OutputError."""
    from starlette.middleware import Middleware

    host = f"[{address.ip}]" if address.ip.version == 6 else str(address.ip)
    _, _, share_url = page.launch(
        server_name=host,
        server_port=port,
        share=share,
        app_kwargs={"middleware": [Middleware(Gate, access=access)]},
        max_file_size=MAX_PICTURE,
        state_session_capacity=100,
        theme=plain_theme(),
        prevent_thread_lock=True,
        quiet=True,
        inline=False,
        footer_links=[],
        run_history=False,  # keeps what was read in the visitor's browser
        enable_monitoring=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
    )
    if share and not share_url:
        raise OutputError("cannot get a public link from Gradio's servers; check the network, or leave out --share")
    return share_url or None


@contextlib.contextmanager
def _private_folder() -> Iterator[None]:
    """Let Gradio keep what is sent in a folder that goes at the end, and let it report nothing to its makers."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ |= {**QUIET, "GRADIO_TEMP_DIR": folder}
        yield
