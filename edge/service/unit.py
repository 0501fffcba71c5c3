"""Write the systemd unit of a service that reads a camera from boot on, and may do nothing else.

Sources: systemd.service(5), systemd.exec(5), systemd.resource-control(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.errors import UsageError
from edge.redaction import redacted

MARK = "# Written by `edge-emotion service install`; `edge-emotion service uninstall` removes it."
SAFE = re.compile(r"[\w@:,./=+-]+", re.ASCII)
# libcamera needs all three; PrivateDevices= would hide them.
CAMERA_DEVICES = ("char-video4linux", "char-media", "char-dma_heap")
TEMPLATE = """\
{mark}
[Unit]
Description=Edge emotion: {source}
{after}StartLimitIntervalSec=600
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
ExecStart=:{command}
{user}
StateDirectory={name}
StateDirectoryMode=0750
CacheDirectory={name}
Environment=XDG_CACHE_HOME=%C/{name}
EnvironmentFile=-/etc/{name}.env
WorkingDirectory=%S/{name}
UMask=0027

Restart=on-failure
RestartSec=10
TimeoutStartSec=180
TimeoutStopSec=15
WatchdogSec=60

{devices}
{network}
AmbientCapabilities=
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome={home}
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Unit:
    """Describe a service. `user` None stands for one that systemd makes up and keeps apart (DynamicUser)."""

    name: str
    source: str
    command: tuple[str, ...]  # begins with the absolute path of the program
    user: str | None = None
    groups: tuple[str, ...] = ()  # that may use cameras
    needs_camera: bool = True
    needs_network: bool = False
    reads_home: bool = False

    def text(self) -> str:
        """Return the file's contents. Raises UsageError for a command that systemd cannot run."""
        if re.search(r"""["'\\]""", self.command[0]):
            raise UsageError(
                f"expected a path without quotes and backslashes, as systemd does, found {self.command[0]}; "
                "install the program elsewhere: python3 -m venv /opt/edge-emotion"
            )
        return TEMPLATE.format(
            mark=MARK,
            name=self.name,
            source=redacted(self.source).replace("%", "%%").replace("\\", "/"),  # at the end, \ joins two lines
            command=" ".join(quoted(argument) for argument in self.command),
            user=f"User={self.user}" if self.user else "DynamicUser=yes",
            after="Wants=network-online.target\nAfter=network-online.target\n" if self.needs_network else "",
            devices="\n".join(self._devices()),
            network="\n".join(self._network()),
            home="read-only" if self.reads_home else "yes",
        )

    def _devices(self) -> list[str]:
        if not self.needs_camera:
            return ["DevicePolicy=closed", "PrivateDevices=yes"]
        groups = [f"SupplementaryGroups={' '.join(self.groups)}"] if self.groups else []
        return [*groups, "DevicePolicy=closed", *(f"DeviceAllow={device} rw" for device in CAMERA_DEVICES)]

    def _network(self) -> list[str]:
        """Return the lines for the network; netlink tells libcamera of devices, and programs of networks."""
        if self.needs_network:
            return ["RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6"]
        return ["PrivateNetwork=yes", "IPAddressDeny=any", "RestrictAddressFamilies=AF_UNIX AF_NETLINK"]


def quoted(argument: str) -> str:
    """Return an argument for ExecStart=: which expands %, and reads quotes and backslashes as C does.

    The colon before the command keeps $ as it is.
    """
    if not argument.isprintable():
        raise UsageError(f"expected printable arguments for a service, found {argument!r:.80}")
    escaped = argument.replace("%", "%%")
    if SAFE.fullmatch(argument):
        return escaped
    escaped = escaped.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def is_ours(text: str) -> bool:
    """Return whether a unit was written by this program."""
    return text.startswith(MARK)


def check_name(name: str) -> str:
    """Return a service's name. Raises UsageError for one that systemd would not accept, or read in its own way."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name) or name.endswith(".service"):
        raise UsageError(f"expected --name of letters, digits, - and _, without .service, found {name!r:.80}")
    return name
