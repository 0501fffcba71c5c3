"""Choose the user and the groups of a service."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from edge.errors import UsageError
from edge.host import user_name

if sys.platform != "win32":
    import grp

HOMES = ("/home", "/root", "/run/user")
TEMPORARY = ("/tmp", "/var/tmp")


def service_user(files: Iterable[Path], read_stat: Callable[[Path], os.stat_result] = os.stat) -> str | None:
    """Return who can read these files: None if everybody can, else the owner of what keeps others out.

    Since Debian 12, others cannot enter a home directory. Raises UsageError if only root can read them.
    """
    for file in files:
        for path in _way(file):
            status = read_stat(path)
            needed = stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else stat.S_IROTH
            if status.st_mode & needed:
                continue
            if status.st_uid == 0:
                raise UsageError(
                    f"expected a program that a service without root's rights can read, found {path} of root alone; "
                    "install it in a place for all: python3 -m venv /opt/edge-emotion"
                )
            return user_name(status.st_uid)
    return None


def _way(file: Path) -> list[Path]:
    """Return every folder and link on the way to a file, and the file."""
    places = [file.absolute(), file.resolve()]
    return [path for place in places for path in (*reversed(place.parents), place)]


def groups(source: str) -> tuple[str, ...]:
    """Return the groups that may use cameras, of those that this system has; systemd refuses unknown ones."""
    wanted = ("video", "render") if source == "picamera" else ("video",)
    return tuple(name for name in wanted if _has_group(name))


def _has_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def in_folder(file: Path, folders: Iterable[str]) -> bool:
    """Return whether a file, or what it links to, is in one of the folders."""
    return any(place.is_relative_to(folder) for place in (file.absolute(), file.resolve()) for folder in folders)
