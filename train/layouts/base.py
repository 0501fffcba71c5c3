"""Define what a reader of a data set yields, and what is asked of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from edge.values import Image

FACE_SIZE = 48  # pixels; the resolution of every FER-2013 face
USAGE = {"Training": "train", "PublicTest": "public", "PrivateTest": "private"}  # FER-2013's names of its splits


@dataclass(frozen=True)
class Row:
    """Hold a face: grey uint8 [48, 48], the name of its class, its name in the data set, its split."""

    image: Image
    label: str
    name: str
    split: str


@dataclass(frozen=True)
class Damaged:
    """Name a file or CSV row that is not a face, and the reason."""

    location: str
    reason: str


@dataclass(frozen=True)
class PassedOver:
    """Name a file that is sound but not read, and the reason."""

    location: str
    reason: str


@dataclass(frozen=True)
class Ignored(PassedOver):
    """Name a face of a class that is to be left out; the reason is the class."""


@dataclass(frozen=True)
class Unread:
    """Name a split that is not asked for and has a face."""

    split: str


@dataclass(frozen=True)
class Note:
    """Say how the data set is understood, as which emotion a number stands for, and whether --labels told it."""

    text: str
    by_labels: bool = False


Item: TypeAlias = Row | Damaged | PassedOver | Unread | Note


@dataclass(frozen=True)
class Request:
    """Say what to read.

    `labels` names the classes of a data set that has numbers, in the order of the numbers. `ignore` names classes to
    leave out.
    """

    splits: Collection[str]
    labels: tuple[str, ...] = ()
    ignore: Collection[str] = ()
