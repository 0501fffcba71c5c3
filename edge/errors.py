"""One exception tree; foreign errors become one of these at the boundary where they occur.

EmotionError            anything a user can mend; `main` prints its one line and exits with 2
├── UsageError          an argument is out of range or contradicts another
├── MissingExtra        a package is not installed; the message names the pip command
├── SourceError         a camera, video, picture or folder cannot be read
├── ModelError          a model file is missing, damaged or not one of ours
├── DataError           a data set is missing, damaged or of an unknown form
├── OutputError         a file cannot be written
└── ParityError         an exported file does not agree with its Keras model
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


class EmotionError(Exception):
    """One line: what was expected, what was found, what to do."""


class UsageError(EmotionError):
    """An argument is out of range or contradicts another."""


class MissingExtra(EmotionError):
    """A package is not installed; the message names the pip command that mends it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"needs {package}, which is not installed; run: pip install '.[{extra}]'")


class SourceError(EmotionError):
    """A camera, video, picture or folder cannot be read."""


class ModelError(EmotionError):
    """A model file is missing, damaged or not one of this project's."""


class DataError(EmotionError):
    """A data set is missing, damaged or of an unknown form."""


class OutputError(EmotionError):
    """A file cannot be written."""


class ParityError(EmotionError):
    """An exported file does not agree with the Keras model it was made from."""


def exit_status(command: Callable[[], int]) -> int:
    """Run a command body; turn what a user can mend into one line on stderr and exit status 2."""
    try:
        return command()
    except EmotionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our output has had enough, as in `| head`; not an error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # the system's own word: a name too long, a full disk, a missing right
        print(f"error: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
