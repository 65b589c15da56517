"""Reading a text file that a user named: everything that can be wrong with it, before anybody parses it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path


class Files(Protocol):
    """Where the files of a stack are: on disk, or in a revision."""

    def read(self, path: Path, most: int) -> bytes:
        """Return the bytes of the file at an absolute or relative path, as `textfile.read` does."""

    def has_folder(self, path: Path) -> bool:
        """Tell whether there is a folder at an absolute path."""


class Disk:
    """The files that are there now."""

    def read(self, path: Path, most: int) -> bytes:
        """Return the bytes of a file. Raises UnreadableError."""
        return read(path, most)

    def has_folder(self, path: Path) -> bool:
        """Tell whether there is a folder."""
        return os.path.isdir(path)  # noqa: PTH112 - a name that is too long raises from Path.is_dir


class UnreadableError(Exception):
    """Raised when there is no text to be had; says why, and where in the file when it is about its content."""

    def __init__(self, message: str, hint: str, rule: str, place: tuple[int, int] = (1, 1)) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.rule = rule
        self.place = place


def read(path: Path, most: int) -> bytes:
    """Return the bytes of the regular file at `path`, of which there may be `most`.

    Raises:
        UnreadableError: there is no such file, it is something else, it may not be read, or it is too large.
    """
    try:
        # O_NONBLOCK: opening a named pipe must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            content = _regular_content(descriptor, most + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise UnreadableError("there is no such file", "check the path", "file-missing") from None
    except PermissionError:
        raise UnreadableError("the file may not be read", "check its owner and mode", "file-unreadable") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise UnreadableError(f"the file cannot be read: {reason}", "check the path", "file-unreadable") from None
    if len(content) > most:
        raise UnreadableError(
            f"the file is larger than {most >> 20} MiB",
            "this is not a file that a person wrote: check the path",
            "file-size",
        )
    return content


def _regular_content(descriptor: int, most: int) -> bytes:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise UnreadableError("this is a directory, not a file", "name the file in it", "file-directory")
    if not stat.S_ISREG(mode):
        raise UnreadableError("this is not a regular file", "name a file on disk", "file-not-regular")
    with open(descriptor, "rb", closefd=False) as file:
        return file.read(most)


def decode(content: bytes) -> str:
    """Return `content` as text, without a byte order mark.

    Raises:
        UnreadableError: it is not UTF-8; with the place of the first byte that is not.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode("utf-8-sig")) + 1
        raise UnreadableError(
            "the file is not UTF-8",
            f"byte {content[len(content) - len(error.object) + error.start]:#04x} is none; save the file as UTF-8",
            "file-encoding",
            (before.count(b"\n") + 1, column),
        ) from None
