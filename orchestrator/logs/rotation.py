"""Rotating a log under its writer: the head is copied to an archive, and then punched out of the file.

The writer appends to the same file for ever and notices nothing; a pipe would tie it to us. A crash between any two
steps loses and doubles nothing: an archive counts from its rename on, and punching again does no harm.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.files import sync_folder
from orchestrator.logs import archives
from orchestrator.logs.archives import UNFINISHED, Span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_KEEP_SIZE: Final = 0x01
_PUNCH_HOLE: Final = 0x02
"""fallocate(2): FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE."""

_HERE: Final = -100
_BORN: Final = 0x800
_STATX_BYTES: Final = 256
_STATX: Final = struct.Struct("=I76xqI")
"""statx(2): AT_FDCWD, STATX_BTIME, and of its answer stx_mask and stx_btime."""

_LEVEL: Final = 1
"""gzip's fastest: text shrinks to a sixth, and a core is not ours for long."""

_GZIP: Final = 31
"""The largest window, with gzip's header and trailer (zlib's `wbits`)."""

_BLOCK: Final = 1 << 18
_LONGEST_LINE: Final = 1 << 16
_BLOCKS: Final = 512
"""Bytes that `st_blocks` counts in (inode(7))."""


def rotate(log: Path, *, most: int) -> Iterator[str]:
    """Move the head of a log, at most `most` bytes, into an archive. Yields the name of each step when it is done.

    Raises OSError; the log is whole then.
    """
    descriptor = os.open(log, os.O_RDWR)
    try:
        begin = archives.begin_of(log)
        end = _line_end(descriptor, begin, min(os.fstat(descriptor).st_size, begin + most))
        if end <= begin:
            return
        archive = Span(log.stem, begin, end).path(log.parent)
        fresh = archive.with_name(archive.name + UNFINISHED)
        try:
            _copy(descriptor, begin, end, fresh)
        except OSError:
            with suppress(OSError):
                fresh.unlink()
            raise
        yield "copied"
        fresh.rename(archive)
        sync_folder(log.parent)
        yield "named"
        punch(descriptor, 0, end)
        yield "punched"
    finally:
        os.close(descriptor)


def repair(folder: Path) -> None:
    """Finish what a crash has left of rotations in a unit's folder. Raises OSError."""
    for path in folder.glob(f"*{UNFINISHED}"):
        path.unlink(missing_ok=True)
    ends: dict[str, int] = {}
    for span in archives.in_folder(folder):
        ends[span.start] = max(span.end, ends.get(span.start, 0))
    for start, end in ends.items():
        with suppress(FileNotFoundError):
            descriptor = os.open(folder / f"{start}.log", os.O_RDWR)
            try:
                found = os.fstat(descriptor)
                if os.lseek(descriptor, 0, os.SEEK_DATA) < end:
                    punch(descriptor, 0, end)
                    os.utime(descriptor, ns=(found.st_atime_ns, found.st_mtime_ns))
            except OSError as error:
                if error.errno != errno.ENXIO:  # nothing but holes
                    raise
            finally:
                os.close(descriptor)


def drop(log: Path, *, keep: int) -> int:
    """Give up the head of a log but for its last `keep` bytes, where it cannot be archived. Returns the bytes lost.

    Raises OSError.
    """
    descriptor = os.open(log, os.O_RDWR)
    try:
        begin = archives.begin_of(log)
        end = _line_end(descriptor, begin, os.fstat(descriptor).st_size - keep)
        if end <= begin:
            return 0
        span = Span(log.stem, begin, end, end - begin)
        try:
            archives.give_up(log.parent, span)
        except OSError:  # no room for the mark before there is room
            punch(descriptor, 0, end)
            archives.give_up(log.parent, span)
        else:
            punch(descriptor, 0, end)
        return end - begin
    finally:
        os.close(descriptor)


def trim(log: Path) -> bool:
    """Give back what was set aside past the end of a log that nobody writes any more; tell whether that was anything.

    Raises OSError.
    """
    found = log.stat()
    if found.st_blocks * _BLOCKS <= found.st_size + found.st_blksize:
        return False
    os.truncate(log, found.st_size)
    os.utime(log, ns=(found.st_atime_ns, found.st_mtime_ns))
    return log.stat().st_blocks < found.st_blocks


def reserve(log: Path, size: int) -> bool:
    """Set `size` bytes aside past a log's end, for the day the disk is full. Tells whether the file system can.

    A write that fails makes a connector panic. Raises OSError where there is no room, ENOSPC or EDQUOT.
    """
    descriptor = os.open(log, os.O_RDWR)
    try:
        _fallocate(descriptor, _KEEP_SIZE, os.fstat(descriptor).st_size, size)
    except OSError as error:
        if error.errno in {errno.EOPNOTSUPP, errno.ENOSYS}:
            return False
        raise
    finally:
        os.close(descriptor)
    return True


def punch(descriptor: int, begin: int, length: int) -> None:
    """Free a range of a file; it reads as zeros, and the file keeps its length. Raises OSError."""
    if length > 0:
        _fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, begin, length)


def born(path: Path) -> float | None:
    """Return when a file was made, in seconds since the epoch (statx(2), stx_btime); None where nobody knows."""
    try:
        statx = _LIBC.statx
    except AttributeError:  # an old musl
        return None
    found = ctypes.create_string_buffer(_STATX_BYTES)
    if statx(_HERE, os.fsencode(path), 0, _BORN, found) != 0:
        return None
    mask, seconds, nanoseconds = _STATX.unpack_from(found)
    return seconds + nanoseconds / 1e9 if mask & _BORN else None


def _fallocate(descriptor: int, mode: int, begin: int, length: int) -> None:
    if _LIBC.fallocate(descriptor, mode, ctypes.c_int64(begin), ctypes.c_int64(length)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _copy(descriptor: int, begin: int, end: int, fresh: Path) -> None:
    import zlib  # noqa: PLC0415 - for a log that has grown only

    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    with open(fresh, "wb", opener=_private) as file:
        while begin < end:
            data = os.pread(descriptor, min(_BLOCK, end - begin), begin)
            if not data:
                raise OSError(errno.EIO, "the log is shorter than it was")
            file.write(packer.compress(data))
            begin += len(data)
        file.write(packer.flush())
        file.flush()
        os.fsync(file.fileno())


def _line_end(descriptor: int, begin: int, end: int) -> int:
    """Return the end of the last whole line before `end`; in the midst of one that is longer than any should be."""
    near = max(begin, end - _LONGEST_LINE)
    if end <= near:
        return begin
    newline = os.pread(descriptor, end - near, near).rfind(b"\n")
    if newline >= 0:
        return near + newline + 1
    return begin if near == begin else end


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
