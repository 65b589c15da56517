"""What to try when a unit did not come up, from its last words.

The texts are those of upstream's connector at 5f3ec40 and of iceoryx2 0.6.1; each stands for a cause that was seen.
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any, Final

from orchestrator.deployment.model import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.deployment.model import UnitSpec

_A_UNIT: Final = 8_000_000
_SHARED: Final = "/dev/shm"  # noqa: S108 - where iceoryx2 puts its segments
_ANY: Final = frozenset(Kind)
_CONNECTOR: Final = frozenset({Kind.CONNECTOR})
_COMMANDS: Final = _ANY - _CONNECTOR

_LOGGED: Final[tuple[tuple[frozenset[Kind], str, str], ...]] = (
    (_CONNECTOR, r"This connector doesn't exist", "its type is not compiled in: name the cargo feature in `features:`"),
    (
        _CONNECTOR,
        r"Couldn't build the .* connector|missing field|TOML parse error",
        "its config lacks a key, or is not valid TOML: the lines above say which",
    ),
    (_CONNECTOR, r"error occurred while reading the configuration file", "its config cannot be read"),
    (_ANY, r"ExceedsMaxNumberOfNodes", "a channel takes 19 bots at most: raise max-nodes in config/iceoryx2.toml"),
    (
        _ANY,
        r"ServiceInCorruptedState",
        "files of an earlier run contradict each other, or bot and connector use different iceoryx2: `hftstack probe`",
    ),
    (
        _ANY,
        r"ExceedsMaxSupported(Publishers|Subscribers)",
        "somebody holds the channel, or remains of it: `hftstack probe`",
    ),
    (_ANY, r"DoesNotSupportRequested", "the channel was made with other sizes: stop every bot on it first"),
    (_ANY, r"IncompatibleTypes", "bot and connector come from different versions of hftbacktest: build both again"),
    (_ANY, r"Unable to find libclang", "install libclang: apt-get install libclang-dev, or pip install libclang"),
    (_CONNECTOR, r"SendError", "a bot registered while {stream} could not be reached: is the network up?"),
    (
        _CONNECTOR,
        r"Connection refused|ConnectionRefused",
        "nothing listens at {stream}: check the URL in its config, and that what serves it is up",
    ),
    (
        _CONNECTOR,
        r"failed to lookup address|Name or service not known",
        "{stream} has no address: check the host's name and the DNS",
    ),
    (_ANY, r"InvalidCertificate|UnknownIssuer", "the exchange's certificate is not trusted here: set SSL_CERT_FILE"),
    (
        _ANY,
        r"ModuleNotFoundError|ImportError",
        "its Python lacks a module: name the interpreter that has it as the first word of `command:`",
    ),
    (
        _COMMANDS,
        r"can't open file|No such file or directory",
        "paths in its `command:` are from its `cwd:`, which is the stack file's folder unless it says otherwise",
    ),
    (_ANY, r"exec: .*(not found|Permission denied)", "the program cannot be executed: is it there, with mode +x?"),
    (_ANY, r"the simulator needs the wheel", "pip install 'hftstack[sim]'"),
)


def advise(unit: dict[str, Any], spec: UnitSpec, log: Sequence[str], *, room: int | None = None) -> str | None:
    """Return what to try, for a unit's object of `status` and its last lines; None when nothing is known.

    `room` is how many bytes are free in /dev/shm, None when nobody looked.
    """
    if room is not None and room < _A_UNIT and (spec.kind is Kind.CONNECTOR or spec.attaches):
        return (
            f"{_SHARED} has {room / 1e6:.1f} MB free, 8 MB are to be planned for each connector and each bot: "
            "mount -o remount,size=2g /dev/shm; in a container --shm-size"
        )
    if unit["exit"] == -signal.SIGBUS:
        return "SIGBUS is how a full /dev/shm shows: df -h /dev/shm; plan 8 MB for each connector and each bot"
    if (known := by_words(spec.kind, "\n".join(log), stream=_stream(spec))) is not None:
        return known
    if unit["exit"] == -signal.SIGKILL and unit["pid"] is None:
        return "it was killed from outside; when memory ran out, `dmesg` says so"
    return _stuck(unit, spec)


def by_words(kind: Kind, text: str, *, stream: str) -> str | None:
    """Return what to try by what a unit of that kind wrote last; `stream` names its exchange for people."""
    for kinds, pattern, advice in _LOGGED:
        if kind in kinds and re.search(pattern, text):
            return advice.format(stream=stream)
    return None


def _stuck(unit: dict[str, Any], spec: UnitSpec) -> str | None:
    if unit["state"] != "starting":
        return None
    match spec.kind:
        case Kind.CONNECTOR if unit["level"] == "live":
            return f"its channel is open, {_stream(spec)} is not connected: check the URL and the network"
        case Kind.CONNECTOR:
            return "its channel is not open: `hftstack probe` shows what there is; a slow one needs a longer `startup:`"
        case Kind.BOT if spec.attaches:
            return f"it runs, but is not on {', '.join(spec.attaches)}: does it use these connector names?"
        case Kind.SERVICE if spec.ready is not None and spec.ready.tcp is not None:
            return f"nothing listens at {spec.ready.tcp.host}:{spec.ready.tcp.port} yet"
        case Kind.SERVICE:
            return "it runs, but its `ready:` check does not hold"
    return None


def _stream(spec: UnitSpec) -> str:
    return ", ".join(f"{stream.host}:{stream.port}" for stream in spec.streams) or "the exchange"
