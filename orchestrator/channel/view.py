"""One iceoryx2 service, read from outside: static config, dynamic segment, ports."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.channel.held import holds
from orchestrator.channel.layout import LAYOUTS, WORD, Layout, Port, parse_container, parse_ports, parse_version
from orchestrator.channel.service import StaticConfig, parse_static_config, service_hash

if TYPE_CHECKING:
    from orchestrator.channel.location import Location
    from orchestrator.channel.nodes import Nodes

SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory lives on Linux
_LARGEST_STATIC: Final = 1 << 16
_LARGEST_DYNAMIC: Final = 1 << 24
_TRIES: Final = 3
_OPEN: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class State(Enum):
    """What the files of a service amount to."""

    ABSENT = auto()
    UNFINISHED = auto()
    CORRUPT = auto()
    UNKNOWN = auto()
    OPEN = auto()


@dataclass(frozen=True, slots=True)
class View:
    """A service as one look found it; ports are known only in state OPEN."""

    state: State
    detail: str | None = None
    version: tuple[int, int, int] | None = None
    layout: Layout | None = None
    publishers: tuple[Port, ...] = ()
    subscribers: tuple[Port, ...] = ()


class Glance(NamedTuple):
    """Bytes of a dynamic segment that stay as they were `seen` for as long as no port comes or goes."""

    descriptor: int
    offset: int
    seen: bytes


class ServiceFiles:
    """The files of one service, with what need not be read twice: the parsed static config and the open segment."""

    def __init__(self, location: Location, name: str) -> None:
        self.name = name
        self.digest = service_hash(name)
        self._prefix = location.prefix
        self._path = f"{location.root}/services/{location.prefix}{self.digest}.service"
        self._static: StaticConfig | None = None
        self._static_stamp: tuple[int, int, int] | None = None
        self._segment: _Segment | None = None

    def look(self, nodes: Nodes) -> View:
        """Read what there is.

        Raises:
            OSError: a file is there and may not be read, or this process has no descriptors left.
        """
        try:
            found = os.stat(self._path)  # noqa: PTH116 - hundreds of times a second
        except (FileNotFoundError, NotADirectoryError):
            return self._without_static(nodes)
        if found.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
            # written to until its permissions are reduced, the last step of a creation
            return View(State.UNFINISHED, f"static config of {self.name} is being written")
        stamp = (found.st_dev, found.st_ino, found.st_mtime_ns)
        if stamp != self._static_stamp:
            try:
                self._static = self._parse()
            except FileNotFoundError:
                return self._without_static(nodes)
            except ValueError as error:
                self._static_stamp = None
                return View(State.CORRUPT, f"static config of {self.name} is malformed ({error})")
            self._static_stamp = stamp
        assert self._static is not None  # noqa: S101 - set together with its stamp
        if self._static.name != self.name:
            return View(State.CORRUPT, f"static config of {self.name} names {self._static.name!r}")
        return self._look_at_segment(nodes, self._static)

    @property
    def stamp(self) -> tuple[object, ...]:
        """What tells these very files from others that may come to lie at the same paths."""
        return self._static_stamp, None if self._segment is None else self._segment.identity

    @property
    def glance(self) -> Glance | None:
        """What tells, in one pread, whether a port came or went since the last look; None after one that found none."""
        return None if self._segment is None else self._segment.glance

    def is_held_by(self, pid: int) -> bool:
        """Tell whether the process has the dynamic segment open, as far as its descriptors may be read."""
        return self._segment is not None and holds(pid, self._segment.identity)

    def place(self, name: str) -> Path | None:
        """Return where a static config or dynamic segment of this service of that name should lie, else None."""
        path = Path(self._path)
        if name == path.name:
            return path
        key = self.digest if self._static is None else self._static.dynamic
        if name.startswith(self._prefix) and name.endswith(f"_{key}.dynamic"):
            return SHARED_MEMORY / name
        return None

    def paths(self, nodes: Nodes) -> tuple[Path, ...]:
        """Return where static config and dynamic segment of this service lie, or would, as of the last look."""
        key = self.digest if self._static is None else self._static.dynamic
        dynamic = nodes.shared_memory(f"{key}.dynamic")
        return (Path(self._path),) if dynamic is None else (Path(self._path), SHARED_MEMORY / dynamic)

    def close(self) -> None:
        """Close the dynamic segment; the next look opens it again."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _without_static(self, nodes: Nodes) -> View:
        self.close()
        name = nodes.shared_memory(f"{self.digest}.dynamic")
        if name is None or not (SHARED_MEMORY / name).exists():
            return View(State.ABSENT)
        return View(State.CORRUPT, f"dynamic segment of {self.name} without static config")

    def _parse(self) -> StaticConfig:
        descriptor = os.open(self._path, _OPEN)
        try:
            return parse_static_config(os.pread(descriptor, _LARGEST_STATIC, 0), self.digest)
        finally:
            os.close(descriptor)

    def _look_at_segment(self, nodes: Nodes, static: StaticConfig) -> View:
        segment = self._segment
        try:
            path = self._find(nodes, static) if segment is None else segment.path
            found = os.stat(path)  # noqa: PTH116 - hundreds of times a second
            if not found.st_mode & stat.S_IRUSR:
                return View(State.UNFINISHED, f"dynamic segment of {self.name} is being initialised")
            if segment is None or segment.identity != (found.st_dev, found.st_ino):
                self.close()
                segment = self._segment = _Segment(path, static, self.name)
        except FileNotFoundError:
            self.close()
            if static.version is not None and static.version not in LAYOUTS:
                return _unknown(static.version)
            return View(State.CORRUPT, f"static config of {self.name} without dynamic segment")
        return segment.read()

    @staticmethod
    def _find(nodes: Nodes, static: StaticConfig) -> str:
        name = nodes.shared_memory(f"{static.dynamic}.dynamic")
        if name is None:
            raise FileNotFoundError
        return str(SHARED_MEMORY / name)


def _unknown(version: tuple[int, int, int]) -> View:
    text = ".".join(map(str, version))
    return View(State.UNKNOWN, f"iceoryx2 {text} is not a version that hftstack can read", version)


class _Segment:
    """An open dynamic segment."""

    def __init__(self, path: str, static: StaticConfig, service: str) -> None:
        self.path = path
        self._static = static
        self._service = service
        self._descriptor = os.open(path, _OPEN)
        found = os.fstat(self._descriptor)
        self.identity = (found.st_dev, found.st_ino)
        self._view: View | None = None
        self._seen = b""
        self._offset = 0

    def close(self) -> None:
        os.close(self._descriptor)

    @property
    def glance(self) -> Glance | None:
        return None if self._view is None else Glance(self._descriptor, self._offset, self._seen)

    def _is_unchanged(self) -> bool:
        return os.pread(self._descriptor, len(self._seen), self._offset) == self._seen

    def read(self) -> View:
        if self._view is not None and self._is_unchanged():
            return self._view
        self._view = None
        version = parse_version(os.pread(self._descriptor, WORD, 0))
        if version is None:
            return View(State.UNFINISHED, f"dynamic segment of {self._service} is not initialised")
        layout = LAYOUTS.get(version)
        if layout is None:
            return _unknown(version)
        self._offset, length = layout.watch
        view = View(State.UNFINISHED, f"ports of {self._service} are changing", version)
        for _ in range(_TRIES):
            # in this order: an entry is complete before its change is counted
            self._seen = os.pread(self._descriptor, length, self._offset)
            view = self._parse(version, layout)
            if view.state is not State.OPEN:
                return view
            self._view = view
            if self._is_unchanged():
                break
        return view

    def _parse(self, version: tuple[int, int, int], layout: Layout) -> View:
        segment = os.pread(self._descriptor, _LARGEST_DYNAMIC, 0)
        static = self._static
        subscribers = parse_container(segment, layout.subscribers, layout.subscriber_size, static.max_subscribers)
        publishers = parse_container(segment, layout.publishers, layout.publisher_size, static.max_publishers)
        if subscribers is None or publishers is None:
            return View(State.UNKNOWN, f"dynamic segment of {self._service} has an unknown layout", version)
        return View(
            State.OPEN,
            version=version,
            layout=layout,
            publishers=parse_ports(segment, publishers, layout.publisher_size, layout.node),
            subscribers=parse_ports(segment, subscribers, layout.subscriber_size, layout.node),
        )
