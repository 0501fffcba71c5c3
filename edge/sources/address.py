"""Ask what is behind an address: open it over HTTP, and find out why a stream cannot be opened."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import urllib.request
from email.message import Message
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urlsplit

from edge.errors import SourceError

TIMEOUT_S = 5.0
PROBE_TIMEOUT_S = 3.0
PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443}
PLAYLISTS = ("mpegurl", "dash+xml")  # of HLS and DASH, in their content types
PLAYLIST_STARTS = (b"#EXTM3U", b"<?xml", b"<MPD")


def request(url: str) -> http.client.HTTPResponse | None:
    """Return the answer to a GET of a URL, with its body unread; None if only FFmpeg may understand it.

    Raises SourceError if there is none.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if it is none
        address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        if parts.username is not None:
            passwords.add_password(None, address, unquote(parts.username), unquote(parts.password or ""))
        handlers = (urllib.request.HTTPBasicAuthHandler, urllib.request.HTTPDigestAuthHandler)
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=_unverified()), *(handler(passwords) for handler in handlers)
        )
        return opener.open(address, timeout=TIMEOUT_S)  # type: ignore[no-any-return]
    except HTTPError as error:
        raise _error(url, _status(error.code, error.reason, bool(urlsplit(url).username))) from error
    except (URLError, OSError) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, ssl.SSLError) or not isinstance(cause, OSError):
            return None
        raise _error(url, _cause(cause, url)) from error
    except (http.client.HTTPException, ValueError):
        return None


def _unverified() -> ssl.SSLContext:
    """Accept the certificates that cameras sign themselves, as FFmpeg does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def is_file(response: http.client.HTTPResponse) -> bool:
    """Return whether an answer is a file: it has a length, and is no playlist of a stream."""
    kind = response.headers.get_content_type()
    if not response.length or kind.startswith("multipart/") or any(name in kind for name in PLAYLISTS):
        return False
    try:
        return not response.peek(8).startswith(PLAYLIST_STARTS)
    except OSError:
        return False


def stream_error(url: str, response_headers: Message | None = None) -> SourceError:
    """Return the error for an address that cannot be opened as a stream; look for the reason for a few seconds."""
    if response_headers:
        kind = response_headers.get_content_type()
        found = "a web page" if kind == "text/html" else "no picture stream or video that OpenCV can decode"
        return _error(url, f"it answers with {found} ({kind}); give the address of the stream itself")
    return _error(url, _probe(url))


def _error(url: str, reason: str) -> SourceError:
    return SourceError(f"cannot open stream {url}: {reason}")


def _probe(url: str) -> str:
    """Return why a stream other than HTTP cannot be opened."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or PORTS.get(parts.scheme)
    except ValueError:  # its message has a part of the password
        return "the address is malformed; write special characters of a password as %XX"
    if not host or not port:
        example = f"{parts.scheme}://camera:{PORTS.get(parts.scheme, 1234)}/path"
        return f"the address names no {'port' if host else 'host'}; expected one as {example}"
    if parts.scheme in ("udp", "rtp", "srt"):
        return "nothing that OpenCV can decode arrives; check the sender, the port and the firewall"
    try:
        with socket.create_connection((host, port), PROBE_TIMEOUT_S) as connection:
            if parts.scheme in ("rtsp", "rtsps"):
                return _rtsp_reason(connection, parts)
    except OSError as error:
        return _cause(error, url)
    return f"{host} answers, but with nothing that OpenCV can decode; check the path"


def _cause(error: OSError, url: str) -> str:
    """Return what an error of the network means."""
    parts = urlsplit(url)
    if isinstance(error, socket.gaierror):
        return f"no host named {parts.hostname} is known; check its spelling and the network, or give its IP address"
    if isinstance(error, ConnectionRefusedError):
        port = parts.port or PORTS.get(parts.scheme)
        return f"{parts.hostname} refuses port {port}; check the port, and that the camera's stream is switched on"
    if isinstance(error, TimeoutError):
        return f"{parts.hostname} does not answer; check the address, and that the camera is on and in this network"
    return f"{error.strerror or error}; check the address and the network"


def _rtsp_reason(connection: socket.socket, parts: SplitResult) -> str:
    """Return what an RTSP server answers to DESCRIBE (RFC 2326)."""
    if parts.scheme == "rtsps":
        connection = _unverified().wrap_socket(connection, server_hostname=parts.hostname)
    connection.settimeout(PROBE_TIMEOUT_S)
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    code, reason, headers = _describe(connection, url, 1, "")
    if code == 401 and parts.username is not None:
        code, reason, _ = _describe(connection, url, 2, _authorization(url, parts, headers))
    if code is None:
        return f"{parts.hostname} answers, but not in RTSP; check the port"
    if code == 200:
        return "its video is not one that OpenCV can decode, or comes too slowly; try another stream of the camera"
    return _status(code, reason, bool(parts.username))


def _describe(connection: socket.socket, url: str, number: int, authorization: str) -> tuple[int | None, str, Message]:
    """Send DESCRIBE; return the status, None if the answer is not RTSP, with its reason and headers."""
    lines = [f"DESCRIBE {url} RTSP/1.0", f"CSeq: {number}", "Accept: application/sdp"]
    lines += [f"Authorization: {authorization}"] if authorization else []
    connection.sendall("\r\n".join([*lines, "", ""]).encode("utf-8", "replace"))
    with connection.makefile("rb") as answer:
        protocol, _, status = answer.readline(1000).decode("latin-1").strip().partition(" ")
        code, _, reason = status.partition(" ")
        if not protocol.startswith("RTSP/") or not code.isdecimal():
            return None, "", Message()
        try:
            return int(code), reason, http.client.parse_headers(answer)
        except http.client.HTTPException:
            return int(code), reason, Message()


def _authorization(url: str, parts: SplitResult, headers: Message) -> str:
    """Return the Authorization header that the server's challenge asks for, Digest or Basic."""
    name, password = unquote(parts.username or ""), unquote(parts.password or "")
    asked = urllib.request.Request(url, method="DESCRIBE")
    asked.selector = url
    for challenge in headers.get_all("WWW-Authenticate", []):
        scheme, _, fields = challenge.partition(" ")
        if scheme.lower() == "digest":
            passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            passwords.add_password(None, url, name, password)
            values = urllib.request.parse_keqv_list(urllib.request.parse_http_list(fields))
            return f"Digest {urllib.request.AbstractDigestAuthHandler(passwords).get_authorization(asked, values)}"
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def _status(code: int, reason: str, has_user: bool) -> str:
    """Return what a status of HTTP or RTSP means."""
    answer = f"it answers {code} {reason}".strip()
    if code in (401, 403):
        missing = "give the user name and password as NAME:PASSWORD@ before the host"
        return f"{answer}; {'the user name or password is wrong' if has_user else missing}"
    if code in (404, 410, 454):
        return f"{answer}: the host has no such path; check what follows the host"
    return f"{answer}; check the address, and the camera's settings"
