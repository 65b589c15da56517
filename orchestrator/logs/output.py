"""What one start of a unit has written, read over its archives and its log as if it had never been rotated."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from orchestrator.logs import archives
from orchestrator.logs.archives import Span

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK: Final = 1 << 16


class Output:
    """The bytes of one log by their offsets, which no rotation moves.

    `lost` counts bytes that nobody can read any more because the disk was full or an archive is damaged, `aged` those
    that were removed to bound the whole.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.lost = 0
        self.aged = 0
        self._unpacked: tuple[Span, bytes] | None = None

    def size(self) -> int:
        """Return how many bytes were written so far. Raises OSError."""
        return self.log.stat().st_size

    def read(self, offset: int, most: int = _BLOCK) -> tuple[int, bytes]:
        """Return the offset after what was read, and up to `most` bytes from `offset` on; none at the end.

        Raises OSError.
        """
        while True:
            found = archives.of_log(self.log)
            covering = [span for span in found if span.begin <= offset < span.end]
            archive = next((span for span in covering if span.is_archive), None)
            if archive is not None:
                try:
                    data = self._archived(archive)[offset - archive.begin :][:most]
                except FileNotFoundError:  # removed meanwhile, to bound the total
                    continue
                if data:
                    return offset + len(data), data
                covering = [Span(archive.start, offset, archive.end, archive.end - offset)]
            ahead = [span.begin for span in found if span.begin > offset and (span.is_archive or not covering)]
            later = min(ahead, default=None)
            gone = max((span.end for span in covering), default=None)
            if gone is not None or later is not None:
                end = min(place for place in (gone, later) if place is not None)
                lost = end - offset if gone is None else min(end - offset, max(span.lost or 0 for span in covering))
                self.lost += lost
                self.aged += end - offset - lost
                offset = end
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
        begin = self.size() if before is None else before
        parts: list[bytes] = []
        lines = 0
        while begin > 0 and lines <= count:
            below = max(0, begin - _BLOCK)
            parts.append(self._range(below, begin))
            lines += parts[-1].count(b"\n")
            begin = below
        return b"".join(reversed(parts))

    def _range(self, begin: int, end: int) -> bytes:
        parts = []
        while begin < end:
            begin, data = self.read(begin, end - begin)
            if not data:
                break
            parts.append(data[: len(data) - max(0, begin - end)])  # what is gone is skipped, perhaps beyond the end
        return b"".join(parts)

    def _archived(self, archive: Span) -> bytes:
        """Return what an archive holds; none of it when it is damaged. Raises OSError."""
        import gzip  # noqa: PLC0415 - for what was rotated only
        import zlib  # noqa: PLC0415

        if self._unpacked is None or self._unpacked[0] != archive:
            packed = archive.path(self.log.parent).read_bytes()
            try:
                self._unpacked = archive, gzip.decompress(packed)
            except (gzip.BadGzipFile, EOFError, zlib.error):
                self._unpacked = archive, b""
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
