"""Why a connector did not get as far as an open channel, in the words of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.deployment.model import Kind
from orchestrator.observe.advice import by_words
from orchestrator.observe.failure import ending
from orchestrator.runner.errors import ConnectorStartupError

if TYPE_CHECKING:
    from orchestrator.channel.verdict import Reading

_STREAM = "the exchange"


def died(name: str, code: int, words: str, *, retries: int, lived: bool) -> ConnectorStartupError:
    """Return the error for a connector that has ended; `words` is what it wrote last, without keys."""
    when = "after its channel was open" if lived else "before its channel was open"
    tried = f", also in {retries} {'retry' if retries == 1 else 'retries'}" if retries else ""
    return ConnectorStartupError(
        f"the connector ended {when}: {ending(code)}{tried}",
        where=name,
        hint=by_words(Kind.CONNECTOR, words, stream=_STREAM),
        detail=words or "it wrote nothing",
    )


def late(name: str, seconds: float, reading: Reading, words: str) -> ConnectorStartupError:
    """Return the error for a connector that runs, and whose channel is not open."""
    seen = reading.verdict.value if reading.detail is None else f"{reading.verdict.value}, {reading.detail}"
    return ConnectorStartupError(
        f"the channel is not open after {seconds:g} s: {seen}",
        where=name,
        hint=by_words(Kind.CONNECTOR, words, stream=_STREAM) or "a slow one needs a longer startup_timeout",
        detail=words or "it wrote nothing",
    )
