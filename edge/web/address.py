"""Parse and open the address of the live page, and decide which names it answers to."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass

from edge.errors import OutputError, UsageError

DEFAULT_HOST = "127.0.0.1"
HOSTS_VARIABLE = "EDGE_EMOTION_HOSTS"  # further names of this machine, separated by commas; behind a proxy, say
SEND_BUFFER = 256 * 1024  # bytes that the system holds for one viewer: a few pictures, so that none sees old ones
BACKLOG = 128  # connections that wait to be accepted


@dataclass(frozen=True)
class Address:
    """Locate the page: the host as the user wrote it, the IP address that it stands for, and the port."""

    host: str
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse `[HOST:]PORT`; an IPv6 address stands in brackets. Raises UsageError."""
        match = re.fullmatch(r"(?:(\[[^\]\s]+\]|[^:\[\]\s/@]+):)?(\d{1,5})", text)
        if not match or int(match[2]) > 65535:
            raise UsageError(f"expected --serve [HOST:]PORT, as 8000 or 0.0.0.0:8000, found {text!r}")
        return cls.of(match[1] or DEFAULT_HOST, int(match[2]))

    @classmethod
    def of(cls, host: str, port: int) -> Address:
        """Return the address of a host, by name or by IP address. Raises UsageError if it has none."""
        host = host.strip("[]")
        return cls(host, _resolve(host), port)

    @property
    def is_private(self) -> bool:
        """Return whether only programs on this machine can reach the page."""
        return self.ip.is_loopback

    def listen(self) -> socket.socket:
        """Open the port. Raises OutputError if another program uses it, or if this one may not."""
        listener = socket.socket(socket.AF_INET6 if self.ip.version == 6 else socket.AF_INET)
        try:
            if os.name == "posix":  # elsewhere the option lets two programs share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # accepted connections inherit it
            listener.bind((str(self.ip), self.port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            problem = f"cannot serve on {self.host}:{self.port}: {(error.strerror or str(error)).lower()}"
            raise OutputError(f"{problem}; choose another address or port") from error
        return listener

    def names(self) -> frozenset[str]:
        """Return the names, in lower case, by which a browser may call this machine."""
        further = [name.strip().lower() for name in os.environ.get(HOSTS_VARIABLE, "").split(",") if name.strip()]
        if self.is_private:
            return frozenset(["localhost", self.host.lower(), *further])  # a name may stand for 127.0.1.1
        machine = socket.gethostname().lower()
        return frozenset(["localhost", self.host.lower(), machine, f"{machine.split('.')[0]}.local", *further])

    def url(self, port: int) -> str:
        """Return the address to type into a browser."""
        host = _own_ip(self.ip.version) if self.ip.is_unspecified else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _resolve(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the first address of a host, IPv4 before IPv6."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return min((ipaddress.ip_address(item[4][0]) for item in found), key=lambda ip: ip.version)
    except (OSError, ValueError) as error:  # UnicodeError is a ValueError
        raise UsageError(f"expected an address of this machine to serve on, found {host!r}; try 0.0.0.0") from error


def _own_ip(version: int) -> str:
    """Return the address of this machine on its network. Nothing is sent: connecting UDP only chooses a route."""
    family, far = (socket.AF_INET6, "2001:db8::1") if version == 6 else (socket.AF_INET, "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((far, 9))
            return str(probe.getsockname()[0])
        except OSError:  # no network
            return socket.gethostname()
