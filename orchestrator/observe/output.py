"""What one start of a unit has written, read over its archives and its log as if it had never been rotated."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING, Final

from orchestrator.supervise import archives

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.supervise.archives import Archive

_BLOCK: Final = 1 << 16


class Output:
    """The bytes of one log by their offsets, which no rotation moves.

    `lost` counts bytes that nobody can read any more: a full disk, or archives removed to bound the total.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.lost = 0
        self._unpacked: tuple[Archive, bytes] | None = None

    def size(self) -> int:
        """Return how many bytes were written so far. Raises OSError."""
        return self.log.stat().st_size

    def read(self, offset: int, most: int = _BLOCK) -> tuple[int, bytes]:
        """Return the offset after what was read, and up to `most` bytes from `offset` on; none at the end.

        Raises OSError.
        """
        while True:
            found = archives.of_log(self.log)
            archive = next((archive for archive in found if archive.begin <= offset < archive.end), None)
            if archive is not None:
                try:
                    data = self._archived(archive)[offset - archive.begin :][:most]
                except FileNotFoundError:  # removed meanwhile, to bound the total
                    continue
                return offset + len(data), data
            later = min((archive.begin for archive in found if archive.begin > offset), default=None)
            if later is not None:
                self.lost += later - offset
                offset = later
                continue
            end, data = self._live(offset, most)
            if offset < archives.begin_of(self.log):
                continue  # rotated while it was read: what was seen may be zeros
            kept = data.replace(b"\0", b"")  # text holds none; a hole is what was given up on a full disk
            self.lost += end - offset - len(kept)
            if kept or end == offset:
                return end, kept
            offset = end

    def last(self, count: int, *, before: int | None = None) -> bytes:
        """Return the end of the output that holds at least `count` lines, or all of it. Raises OSError."""
        end = self.size() if before is None else before
        begin = end
        data = b""
        while begin > 0 and data.count(b"\n") <= count:
            below = max(0, begin - _BLOCK)
            data = self._range(below, begin) + data
            begin = below
        return data

    def _range(self, begin: int, end: int) -> bytes:
        parts = []
        while begin < end:
            begin, data = self.read(begin, end - begin)
            if not data:
                break
            parts.append(data)
        return b"".join(parts)

    def _archived(self, archive: Archive) -> bytes:
        if self._unpacked is None or self._unpacked[0] != archive:
            self._unpacked = archive, gzip.decompress(archive.path(self.log.parent).read_bytes())
        return self._unpacked[1]

    def _live(self, offset: int, most: int) -> tuple[int, bytes]:
        descriptor = os.open(self.log, os.O_RDONLY)
        try:
            data = os.pread(descriptor, most, offset)
            if data and not data.strip(b"\0"):
                return max(_data_from(descriptor, offset), offset + len(data)), b""
            return offset + len(data), data
        finally:
            os.close(descriptor)


def _data_from(descriptor: int, offset: int) -> int:
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError:
        return os.fstat(descriptor).st_size
