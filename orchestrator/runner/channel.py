"""A connector's channel on behalf of its runner: who holds it, and whether it is open."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.channel import ChannelConfigError, Probe, Verdict, scan_nodes
from orchestrator.channel.location import locate_own
from orchestrator.channel.repair import repair, tidy
from orchestrator.runner.errors import ConnectorStartupError

if TYPE_CHECKING:
    from orchestrator.channel import Location, Reading

_log: Final = logging.getLogger("orchestrator.runner")


class Channel:
    """The channel of one connector that is started in the present working directory."""

    def __init__(self, name: str) -> None:
        """Find it. Raises ConnectorStartupError for an iceoryx2 configuration that no connector could use."""
        self._name = name
        try:
            self.location: Location = locate_own(Path.cwd())
        except ChannelConfigError as error:
            raise ConnectorStartupError(error.message, where=error.where, hint=error.hint) from None
        self._warned = False

    def refuse_others(self) -> None:
        """Raise ConnectorStartupError if a living process holds it: two connectors of one name cannot be."""
        reading = self.look(None)
        if reading.verdict is not Verdict.FOREIGN:
            return
        from orchestrator.supervise.process import command_line  # noqa: PLC0415 - only to name the culprit

        who = "a process of another pid namespace"
        if reading.owner is not None:
            who = f"pid {reading.owner} ({command_line(reading.owner) or 'command not readable'})"
        raise ConnectorStartupError(
            f"the channel is held by {who}",
            where=self._name,
            hint="stop that process, or give this connector another name",
        )

    def look(self, pid: int | None) -> Reading:
        """Return what the channel is for the process that should own it, None for none."""
        probe = Probe(self.location, self._name)
        try:
            return probe.scan(scan_nodes(self.location), pid=pid)
        finally:
            probe.close()

    def is_open(self, reading: Reading, pid: int) -> bool:
        """Tell whether this process has opened it; an iceoryx2 that is not known here is believed, and named once."""
        if reading.verdict is Verdict.UNVERIFIED and reading.owner == pid:
            if not self._warned:
                self._warned = True
                _log.warning("%s: the channel cannot be verified: %s", self._name, reading.detail)
            return True
        return reading.verdict is Verdict.LIVE

    def tidy(self) -> None:
        """Remove what a connector that has ended left, when nobody can be using it."""
        with suppress(OSError):
            tidy(self.location, self._name)

    def repair(self) -> None:
        """Clear remains that no start can open, when nobody can be using them."""
        with suppress(OSError):
            removed = repair(self.location, self._name)
            if removed:
                _log.warning("%s: removed remains that no process used: %s", self._name, ", ".join(map(str, removed)))
