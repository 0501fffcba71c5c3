"""Parse the URL of an MQTT broker, and find the password that belongs to it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from edge.errors import UsageError
from edge.redaction import redacted

PORTS = {"mqtt": 1883, "mqtts": 8883}
PASSWORD_VARIABLE = "EDGE_EMOTION_MQTT_PASSWORD"
PASSWORD_FILE_VARIABLE = "EDGE_EMOTION_MQTT_PASSWORD_FILE"
MAX_TOPIC = 200  # bytes
USAGE = "mqtt[s]://[user[:password]@]host[:port][/topic]"


@dataclass(frozen=True)
class Broker:
    """Locate a broker. `topic` is the one that the user chose for this device, if any."""

    host: str
    port: int
    tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    topic: str | None = None

    @property
    def address(self) -> str:
        """Return host and port, for messages."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Broker:
        """Parse a URL; the password may come from the environment or a file instead. Raises UsageError."""
        try:
            url = urlsplit(text)
            host, port = url.hostname, url.port
            (host or "").encode("idna")  # raises UnicodeError, as for an empty part: the resolver would do so later
            is_whole = url.scheme in PORTS and host and port != 0 and not re.search(r"[@?#]", text[len(_base(url)) :])
        except ValueError:  # a port that is no number, an unclosed bracket, a name that cannot be one
            is_whole = False
        if not is_whole or not host or not host.isprintable() or " " in host:
            found = redacted(text) if "://" in text else redacted(f"mqtt://{text}").removeprefix("mqtt://")
            raise UsageError(
                f"expected --mqtt {USAGE}, found {found}; in user, password and topic, "
                "write @ as %40, / as %2F, # as %23, ? as %3F and % as %25"
            )
        user = None if url.username is None else unquote(url.username)
        password = unquote(url.password) if url.password else _password_from_environment()
        if password and not user:
            raise UsageError(f"expected a user with the password, found none; give --mqtt {url.scheme}://USER@{host}")
        return cls(host, port or PORTS[url.scheme], url.scheme == "mqtts", user, password, _topic(url.path))


def _base(url: SplitResult) -> str:
    return f"{url.scheme}://{url.netloc}"


def _topic(path: str) -> str | None:
    """Return the topic of a URL's path. Raises UsageError for one that cannot be published to."""
    topic = unquote(path).strip("/")
    if not topic:
        return None
    if not topic.isprintable() or re.search(r"[+#]|^\$", topic) or len(topic.encode()) > MAX_TOPIC:
        raise UsageError(
            f"expected a topic without +, # and a leading $, of at most {MAX_TOPIC} bytes, found {topic!r:.80}"
        )
    return topic


def _password_from_environment() -> str | None:
    """Return the password of the environment variable or of the file that another one names. Raises UsageError."""
    password, file = os.environ.get(PASSWORD_VARIABLE), os.environ.get(PASSWORD_FILE_VARIABLE)
    if password or not file:
        return password or None
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"cannot read the password file of {PASSWORD_FILE_VARIABLE}, {file}: {reason}") from error
