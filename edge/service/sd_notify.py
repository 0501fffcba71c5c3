"""Tell systemd the state of a service, by datagrams to the socket that it names (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import sys

SOCKET_VARIABLE = "NOTIFY_SOCKET"


def is_service() -> bool:
    """Return whether systemd, or another program, waits for the state of this one."""
    return SOCKET_VARIABLE in os.environ and sys.platform != "win32"


def notify(*assignments: str) -> None:
    """Send assignments such as READY=1; nothing happens outside a service, and nothing waits."""
    if not is_service():
        return
    import socket  # here: it costs milliseconds, and few runs are services

    address = os.environ[SOCKET_VARIABLE]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
        sender.setblocking(False)
        sender.sendto("\n".join(assignments).encode(), f"\0{address[1:]}" if address[:1] == "@" else address)


def watchdog_s() -> float | None:
    """Return the seconds within which systemd expects a sign of life, None without a watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    is_ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(microseconds) / 1e6 if microseconds.isdecimal() and is_ours else None
