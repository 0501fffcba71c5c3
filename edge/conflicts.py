"""Refuse outputs that would overwrite an input or one another, before any output is opened.

A file is known by its resolved path and by its device and inode: links, hard links and other spellings of its name are
the file itself.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.auto_model import AUTO
from edge.backend import BACKENDS, SHIPPED
from edge.errors import UsageError
from edge.files import check_writable
from edge.neutral import PROFILE_SUFFIX
from edge.options import RunOptions
from edge.sink import ADDRESSES
from edge.sinks.events import check_text_file
from edge.sinks.outlet import STANDARD_OUTPUTS
from edge.sinks.pictures import COMMON_SUFFIX
from edge.sources.base import Source
from edge.sources.pictures import is_picture, picture_paths

Identity = tuple[int, int] | str  # device and inode, or a resolved path


def check_outputs(options: RunOptions) -> None:
    """Refuse outputs that would overwrite an input or each other, and files that cannot be written.

    Raises UsageError or OutputError.
    """
    for file in (options.stats, options.save_neutral):
        if file is not None:
            check_writable(file)
    if options.save_neutral is not None and options.save_neutral.suffix.lower() != PROFILE_SUFFIX:
        raise UsageError(
            f"expected --save-neutral with a name ending in {PROFILE_SUFFIX}, found {options.save_neutral}"
        )
    outputs = list(_outputs(options))
    inputs = _identities_of(_inputs(options)) if outputs else set()
    listed = _listed(options) if outputs else {}
    neutral = _identities_of([Path(options.neutral)] if options.neutral else [])
    written: set[Identity] = set()
    for option, target in outputs:
        identities = identify(target)
        spellings = {_folded(name) for name in identities if isinstance(name, str)}
        used = inputs if option == "--save-neutral" else inputs | neutral  # a profile may be continued
        overwritten = any(is_picture(listed[identity]) for identity in identities & listed.keys())
        if overwritten or identities & used or (identities | spellings) & written:
            raise UsageError(f"expected {option} other than the source, the models and other outputs, found {target}")
        if not _is_device(target):
            written |= identities | spellings
    if options.stats is not None:
        check_text_file("--stats", options.stats)


def check_folder(folder: Path, source: Source) -> None:
    """Raise UsageError if annotated pictures in this folder would overwrite one of the source's."""
    pictures = {identity: file for file in source.files for identity in identify(str(file))}
    for file in source.files:
        name = file.absolute().relative_to(source.folder or "")
        for written in (folder / name, folder / f"{name}{COMMON_SUFFIX}"):
            overwritten = next((pictures[key] for key in identify(str(written)) if key in pictures), None)
            if overwritten:
                raise UsageError(
                    f"expected --record other than the pictures' own folder, found {folder}: {written} is"
                    f" {overwritten}; choose another folder"
                )


def identify(target: str) -> set[Identity]:
    """Return by what a file is known. A device, a pipe, and what does not exist yet have a path alone."""
    if target in STANDARD_OUTPUTS:
        return {STANDARD_OUTPUTS[0]} | _inode(1)
    return {os.path.realpath(target)} | _inode(target)


def _inode(file: str | int) -> set[Identity]:
    try:
        status = os.stat(file)  # noqa: PTH116 (or of a descriptor)
    except OSError:
        return set()
    is_stored = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    return {(status.st_dev, status.st_ino)} if is_stored else set()


def _is_device(target: str) -> bool:
    """Return whether several outputs may share the target, as a terminal, a pipe or the null device."""
    return target not in STANDARD_OUTPUTS and Path(target).exists() and not _inode(target)


def _folded(name: str) -> str:
    """Return a name as macOS and Windows compare it: without case, and with one form of each accent."""
    return unicodedata.normalize("NFC", name).casefold()


def _identities_of(files: Iterable[Path]) -> set[Identity]:
    return {identity for file in files for identity in identify(str(file))}


def _inputs(options: RunOptions) -> Iterator[Path]:
    """Yield the files that the run reads, without the pictures of a folder, and the folder of the source."""
    for part in options.source.split("::"):  # an archive's address names its file after the pictures in it
        source = Path(part.removeprefix("file://"))
        yield source
        yield from [source.parent] if source.is_file() else []
    yield from SHIPPED.parent.iterdir()
    for model in (options.model, options.detector_model):
        if model is not None and model != AUTO:
            yield model
            yield from (file for file in model.iterdir() if file.suffix in BACKENDS) if model.is_dir() else ()


def _listed(options: RunOptions) -> dict[Identity, Path]:
    """Return what lies in the source's folder, by identity. Outputs of the run before may lie there as well."""
    return {identity: path for path in picture_paths(options.source) for identity in identify(str(path))}


def _outputs(options: RunOptions) -> Iterator[tuple[str, str]]:
    """Yield the options that name a file or a folder to write, with their targets."""
    for output in options.outputs:
        if output.name not in ADDRESSES:
            yield f"--{output.name}", output.target
    for option, file in (("--stats", options.stats), ("--save-neutral", options.save_neutral)):
        if file is not None:
            yield option, str(file)
