"""The channel's ends, as HftBacktest opens them (hftbacktest/src/live/ipc/iceoryx.rs), and what travels on them.

Services, payload of 512 bytes and user header are the genuine ones. The payload's text is the simulator's own: a bot
sends `register SYMBOL`, a connector `tick SYMBOL`.
"""

from __future__ import annotations

import ctypes
import os
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import iceoryx2 as iox2

if TYPE_CHECKING:
    from collections.abc import Iterator

TO_ALL: Final = 0
_PAYLOAD: Final = 512
_HEADER: Final = 16
_BUFFER: Final = 10000
_MAX_BOTS: Final = 200


class ChannelError(Exception):
    """Raised when iceoryx2 refuses; names the service and iceoryx2's own error."""


@contextmanager
def _naming(service: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the wheel's errors share no base class but this
        raise ChannelError(f"{service}: {type(error).__name__}: {error}") from error


class CustomHeader(ctypes.Structure):
    """User header: the bot addressed, 0 for all, and the number of payload bytes in use."""

    _fields_ = (("id", ctypes.c_uint64), ("len", ctypes.c_size_t))

    @staticmethod
    def type_name() -> str:
        """Return the name under which both ends know the header's type."""
        return "hftbacktest::live::ipc::iceoryx::CustomHeader"


class Capacity(NamedTuple):
    """Messages that a receiver buffers, and bots that a channel holds."""

    buffer_size: int = _BUFFER
    max_bots: int = _MAX_BOTS


def capacity() -> Capacity:
    """Read the file that HFTBACKTEST_CHANNEL_CONFIG names; any error in it means the defaults, as upstream."""
    try:
        document = tomllib.loads(Path(os.environ["HFTBACKTEST_CHANNEL_CONFIG"]).read_text(encoding="utf-8"))
        found = Capacity(document["buffer_size"], document["max_bots"])
    except (KeyError, OSError, ValueError, RecursionError):
        return Capacity()
    return found if all(type(value) is int and value > 0 for value in found) else Capacity()


class Sender:
    """The publishing end of one service, on a node of its own; released when dropped."""

    def __init__(self, service: str, *, publishers: int, subscribers: int, buffer_size: int) -> None:
        self._name = service
        with _naming(service):
            self._node = _node()
            self._service = _open(self._node, service, publishers, subscribers, buffer_size)
            self._port = self._service.publisher_builder().initial_max_slice_len(_PAYLOAD).create()

    def send(self, text: str, to: int = TO_ALL) -> None:
        """Publish one message."""
        content = text.encode()[:_PAYLOAD]
        with _naming(self._name):
            sample = self._port.loan_slice_uninit(_PAYLOAD)
            header = sample.user_header().contents
            header.id, header.len = to, len(content)
            ctypes.memmove(sample.payload().as_ptr(), content.ljust(_PAYLOAD, b"\0"), _PAYLOAD)
            sample.assume_init().send()


class Receiver:
    """The subscribing end of one service, on a node of its own; released when dropped."""

    def __init__(self, service: str, *, publishers: int, subscribers: int, buffer_size: int) -> None:
        self._name = service
        with _naming(service):
            self._node = _node()
            self._service = _open(self._node, service, publishers, subscribers, buffer_size)
            self._port = self._service.subscriber_builder().buffer_size(buffer_size).create()

    def messages(self) -> Iterator[tuple[int, str]]:
        """Yield what has arrived: whom it is for, and its text."""
        while True:
            with _naming(self._name):
                sample = self._port.receive()
            if sample is None:
                return
            header = sample.user_header().contents
            length = min(header.len, _PAYLOAD)
            yield header.id, ctypes.string_at(sample.payload().as_ptr(), length).decode(errors="replace")


def _node() -> iox2.Node:
    iox2.set_log_level(iox2.LogLevel.Fatal)
    return iox2.NodeBuilder.new().signal_handling_mode(iox2.SignalHandlingMode.Disabled).create(iox2.ServiceType.Ipc)


def _open(
    node: iox2.Node, service: str, publishers: int, subscribers: int, buffer_size: int
) -> iox2.PortFactoryPublishSubscribe:
    return (
        node.service_builder(iox2.ServiceName.new(service))
        .publish_subscribe(iox2.Slice[ctypes.c_uint8])
        .user_header(CustomHeader)
        .subscriber_max_buffer_size(buffer_size)
        .max_publishers(publishers)
        .max_subscribers(subscribers)
        .open_or_create()
    )
