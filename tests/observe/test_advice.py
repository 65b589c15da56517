from __future__ import annotations

from typing import Any

import pytest

from orchestrator.deployment.model import Endpoint, Kind, ReadyCheck
from orchestrator.observe.advice import advise
from tests.observe.objects import spec, unit

_STREAM = (Endpoint("stream.example", 9443),)
_CONNECTOR = spec("bf", streams=_STREAM)
_BOT = spec("mm", Kind.BOT, "bf", attaches=("bf",))
_GONE: dict[str, Any] = {"state": "failed", "level": None, "pid": None, "exit": 1, "reached": False}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("This connector doesn't exist.", "`features:`"),
        ('Couldn\'t build the BinanceFutures connector. error=Config("missing field `api_key`")', "lacks a key"),
        ("TOML parse error at line 3, column 7", "not valid TOML"),
        ("An error occurred while reading the configuration file. error=Os { code: 13 }", "cannot be read"),
        ("panicked: PublisherCreateError(ExceedsMaxNumberOfNodes)", "19 bots"),
        ("BuildError(PublishSubscribeCreateError(ServiceInCorruptedState))", "hftstack probe"),
        ("BuildError(SubscriberCreateError::ExceedsMaxSupportedSubscribers)", "holds the channel"),
        ("BuildError(ExceedsMaxSupportedPublishers)", "holds the channel"),
        ("PublishSubscribeOpenError(DoesNotSupportRequestedMinBufferSize)", "other sizes"),
        ("PublishSubscribeOpenError(IncompatibleTypes)", "different versions of hftbacktest"),
        ('Unable to find libclang: "couldn\'t find any valid shared libraries"', "libclang-dev"),
        ("called `Result::unwrap()` on an `Err` value: SendError { .. }", "stream.example:9443 could not be reached"),
        (
            'error=Io(Os { code: 111, kind: ConnectionRefused, message: "Connection refused" })',
            "nothing listens at stream.example:9443",
        ),
        ("failed to lookup address information: Name or service not known", "stream.example:9443 has no address"),
        ("invalid peer certificate: UnknownIssuer", "SSL_CERT_FILE"),
        ("ModuleNotFoundError: No module named 'hftbacktest'", "interpreter"),
        ("/bin/sh: 1: exec: /srv/bot: Permission denied", "+x"),
        ("/bin/sh: 1: exec: /srv/bot: not found", "+x"),
        ("the simulator needs the wheel iceoryx2: pip install 'hftstack[sim]'", "pip install 'hftstack[sim]'"),
    ],
)
def test_a_known_text_has_its_advice(line: str, words: str) -> None:
    advice = advise(unit(**_GONE), _CONNECTOR, ["2026-03-01T12:00:00.000000Z  INFO starting", line])

    assert advice is not None
    assert words in advice


def test_a_bots_refused_connection_is_not_blamed_on_the_stream() -> None:
    assert advise(unit("mm", "bot", **_GONE), _BOT, ["redis: Connection refused"]) is None


def test_nothing_known_is_no_advice() -> None:
    assert advise(unit(**_GONE), _CONNECTOR, ["something else went wrong"]) is None
    assert advise(unit(**_GONE), _CONNECTOR, []) is None


def test_sigbus_is_explained_by_a_full_shared_memory() -> None:
    assert "/dev/shm" in (advise(unit(**_GONE | {"exit": -7}), _CONNECTOR, ["Connection refused"]) or "")


def test_a_full_shared_memory_is_the_cause_whatever_the_unit_wrote() -> None:
    advice = advise(unit(**_GONE), _CONNECTOR, ["Connection refused"], room=3_000_000) or ""
    assert advice.startswith("/dev/shm has 3.0 MB free")
    assert "/dev/shm" not in (advise(unit(**_GONE), _CONNECTOR, ["Connection refused"], room=8_000_000) or "")


def test_a_kill_from_outside_is_called_so() -> None:
    assert "memory" in (advise(unit(**_GONE | {"exit": -9}), _CONNECTOR, []) or "")


@pytest.mark.parametrize(
    ("level", "of", "words"),
    [
        ("live", _CONNECTOR, "stream.example:9443 is not connected"),
        ("started", _CONNECTOR, "channel is not open"),
        ("started", _BOT, "not on bf"),
        ("started", spec("p", Kind.SERVICE, ready=ReadyCheck(tcp=Endpoint("127.0.0.1", 3128))), "127.0.0.1:3128"),
        ("started", spec("p", Kind.SERVICE, ready=ReadyCheck(execute=("true",))), "`ready:`"),
    ],
)
def test_a_unit_that_runs_and_does_not_get_there_has_a_place_to_look(level: str, of: Any, words: str) -> None:  # noqa: ANN401
    told = unit(of.name, of.kind.value, state="starting", level=level, reached=False)

    assert words in (advise(told, of, []) or "")
