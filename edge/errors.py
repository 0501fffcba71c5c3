"""Define the project's exceptions, and turn them into exit statuses.

EmotionError            an error that the user can fix; a command prints its one line and exits with status 2
├── UsageError          an argument is out of range or contradicts another
├── MissingExtra        a package is missing or broken; the message names the pip command
├── SourceError         a camera, video, picture or folder cannot be read
├── ModelError          a model file is missing, damaged or not one of this project's
├── DataError           a data set is missing, damaged or in an unknown format
├── OutputError         a file cannot be written
└── ParityError         an exported file does not agree with its Keras model

Exceptions of other libraries are translated into one of these where they occur.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence

from edge.redaction import redacted
from edge.untrusted import printable


class EmotionError(Exception):
    """Report an error in one line: what was expected, what was found, what to do. It holds no password."""

    def __init__(self, message: str) -> None:
        super().__init__(redacted(message))


class UsageError(EmotionError):
    """Report an argument that is out of range or contradicts another."""


class MissingExtra(EmotionError):
    """Report a package that is missing or broken, with the pip command that fixes it."""

    def __init__(
        self, package: str, extra: str, problem: str = "which is not installed", uninstall: Sequence[str] = ()
    ) -> None:
        """Name the package, the extra that installs it, and the packages to uninstall first."""
        first = f"pip uninstall -y {' '.join(uninstall)}, then: " if uninstall else ""
        super().__init__(f"needs {package}, {problem}; run: {first}pip install '.[{extra}]'")


class SourceError(EmotionError):
    """Report a camera, video, picture or folder that cannot be read."""


class ModelError(EmotionError):
    """Report a model file that is missing, damaged or not one of this project's."""


class DataError(EmotionError):
    """Report a data set that is missing, damaged or in an unknown format."""


class OutputError(EmotionError):
    """Report a file that cannot be written."""


class ParityError(EmotionError):
    """Report an exported file that does not agree with its Keras model."""


def exit_status(command: Callable[[], int]) -> int:
    """Run the body of a command and return its exit status.

    An error that the user can fix becomes one line on stderr and status 2.
    """
    try:
        return command()
    except EmotionError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has closed it, as `| head` does: not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # from the operating system: a name too long, a full disk, no permission
        message = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        print(f"error: {printable(message)}", file=sys.stderr)
        return 2
    except MemoryError:
        print("error: this machine has not enough free memory for it", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print("interrupted", file=sys.stderr)
        return 128 + int(interrupt.args[0] if interrupt.args else signal.SIGINT)
