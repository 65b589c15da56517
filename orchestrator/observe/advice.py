"""What to try when a unit did not come up, from its last words.

The texts are those of upstream's connector at 5f3ec40 and of iceoryx2 0.6.1; each stands for a cause that was seen.
"""

from __future__ import annotations

import re
from typing import Any, Final

_LOGGED: Final = (
    (r"This connector doesn't exist", "the binary has no such type: is its cargo feature in `features:`?"),
    (r"Couldn't build the .* connector|missing field|TOML parse error", "the config lacks a key, or is not valid TOML"),
    (r"error occurred while reading the configuration file", "the config cannot be read"),
    (r"ExceedsMaxNumberOfNodes", "a channel takes 19 bots at most: raise max-nodes in config/iceoryx2.toml"),
    (
        r"ServiceInCorruptedState",
        "files of an earlier run contradict each other, or bot and connector use different iceoryx2: `hftstack probe`",
    ),
    (
        r"ExceedsMaxSupported(Publishers|Subscribers)",
        "somebody holds the channel, or remains of it: `hftstack probe`",
    ),
    (r"DoesNotSupportRequested", "the channel was made with other sizes: stop every bot on it first"),
    (r"IncompatibleTypes", "bot and connector come from different versions of hftbacktest"),
    (r"Unable to find libclang", "install libclang: apt-get install libclang-dev, or pip install libclang"),
    (r"SendError", "a bot registered while the exchange could not be reached"),
    (r"Connection refused|ConnectionRefused", "nothing listens at the stream's host and port"),
    (r"failed to lookup address|Name or service not known", "the stream's host name has no address"),
    (r"InvalidCertificate|UnknownIssuer", "the exchange's certificate is not trusted here: SSL_CERT_FILE?"),
    (r"ModuleNotFoundError|ImportError", "the program's Python lacks a module: is argv[0] the right interpreter?"),
    (r"gate: \d+: exec: .*: (not found|Permission denied)", "the program cannot be executed"),
    (r"the simulator needs the wheel", "pip install 'hftstack[sim]'"),
)


def advise(unit: dict[str, Any], log: list[str]) -> str | None:
    """Return what to try, for a unit's object of `status` and its last lines; None when nothing is known."""
    if unit["exit"] == -7:  # noqa: PLR2004 - SIGBUS
        return "SIGBUS is how a full /dev/shm shows: df -h /dev/shm; plan 8 MB a connector and 8 MB a bot"
    text = "\n".join(log)
    for pattern, advice in _LOGGED:
        if re.search(pattern, text):
            return advice
    if unit["state"] == "starting" and unit["kind"] == "connector" and unit["level"] == "live":
        return "the channel is open, the exchange is not connected: check the stream's URL and the network"
    if unit["state"] == "starting" and unit["kind"] == "bot":
        return "the bot runs but is not on every channel it depends on: does it use these connector names?"
    return None
