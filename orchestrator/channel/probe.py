"""The probe: what a connector's channel really is, for the process that should own it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.channel.held import detached
from orchestrator.channel.link import Connection
from orchestrator.channel.verdict import BotLink, Reading, Verdict
from orchestrator.channel.view import SHARED_MEMORY, ServiceFiles, State, View

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.channel.layout import Port
    from orchestrator.channel.location import Location
    from orchestrator.channel.nodes import Nodes
    from orchestrator.channel.view import Glance


@dataclass(frozen=True, slots=True)
class _Claim:
    """Who holds the connector's port of one service.

    `port` is ours; `others` are pids of living processes. Where ports cannot be read, `tagged` means that our process
    uses the service and `others` do too; not `legible`: who else does cannot be seen.
    """

    port: Port | None = None
    others: tuple[int, ...] = ()
    dead: bool = False
    dropped: bool = False
    tagged: bool = False
    legible: bool = True


@dataclass(frozen=True, slots=True)
class _Steady:
    """A live channel as the last full look found it; while all of this holds, the next look need not work it out."""

    outgoing: View
    incoming: View
    owners: tuple[tuple[int, int | None], ...]
    links: tuple[Connection, ...]


class _Fast(NamedTuple):
    """What the fast path reads, by descriptors that the last full look has open."""

    glances: tuple[Glance, Glance]
    links: tuple[Connection, ...]


class Probe:
    """One channel, NAME/ToBot and NAME/FromBot, seen from outside through kept descriptors.

    Not for several threads. Verdicts of single looks may be transient while processes start and stop: believe a bad
    one when it lasts. `moved`: messages were written to a bot between the last scan and the look before it.
    """

    def __init__(self, location: Location, name: str) -> None:
        self.location = location
        self.name = name
        self._outgoing = ServiceFiles(location, f"{name}/ToBot")
        self._incoming = ServiceFiles(location, f"{name}/FromBot")
        self._connections: dict[tuple[int, int], Connection] = {}
        self._links: tuple[Connection, ...] = ()
        self._scanned = False
        self.moved = False
        self._fast: _Fast | None = None
        self._steady: _Steady | None = None
        self._data: tuple[int, Path] | None = None
        self._lived: int | None = None
        self._proven: tuple[object, ...] = ()

    def scan(self, nodes: Nodes, *, pid: int | None) -> Reading:
        """Look at everything once; `nodes` is one round of the same location, shared with other probes.

        `pid` is the process that should own the channel, None when none of ours is started. Files that may not be read
        make the reading UNVERIFIED and are named in its detail.
        """
        self._fast = None
        self.moved = False
        try:
            return self._scan(nodes, pid)
        except OSError as error:
            path = "" if error.filename is None else f": {error.filename}"
            return Reading(Verdict.UNVERIFIED, detail=f"cannot look: {error.strerror}{path}", users=None)

    def fast(self) -> bool | None:
        """Tell whether a message was written to a bot since the last look.

        That is one pread a service, and one more where messages move: what one bot is sent, all are, and a second one
        is asked only when the first has nothing new. None when the last scan did not find the channel LIVE, when a port
        came or went since, or when a bot's connection was not made yet: do a full scan then. Does not notice a killed
        process; a pidfd does.
        """
        fast = self._fast
        if fast is None:
            return None
        for descriptor, offset, seen in fast.glances:
            if os.pread(descriptor, len(seen), offset) != seen:
                return None
        for place, link in enumerate(fast.links, 1):
            if link.advance(link.read().written):
                for other in fast.links[place:]:
                    other.skip()
                return True
        return False

    def bots(self) -> tuple[BotLink, ...]:
        """Return the counters, as they are now, of the bots that the last scan found."""
        return tuple([link.read() for link in self._links])

    def forget(self, pid: int) -> None:
        """Drop what is held for a process that exited: its shared memory stays allocated while a descriptor is open."""
        self._fast = self._steady = None
        if pid == self._lived:
            self.close()
        for key in [key for key, connection in self._connections.items() if connection.pid == pid]:
            self._connections.pop(key).close()
        self._links = tuple([link for link in self._links if link.pid != pid])

    def close(self) -> None:
        """Close every descriptor; the next scan opens what it needs."""
        self._fast = self._steady = None
        self._links = ()
        self._scanned = False
        self._lived = None
        self._proven = ()
        self._data = None
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        self._outgoing.close()
        self._incoming.close()

    def _scan(self, nodes: Nodes, pid: int | None) -> Reading:
        outgoing, incoming = self._outgoing.look(nodes), self._incoming.look(nodes)
        if pid is not None and self._is_steady(nodes, outgoing, incoming, pid):
            return self._live(pid, outgoing)
        sender = self._claim(nodes, self._outgoing, outgoing, outgoing.publishers, pid)
        receiver = self._claim(nodes, self._incoming, incoming, incoming.subscribers, pid)
        self._links = links = self._attach(nodes, outgoing)
        self._scanned = True
        verdict, owner, detail = self._judge(nodes, pid, (outgoing, incoming), (sender, receiver))
        self._steady = None
        if verdict is Verdict.LIVE and pid is not None:
            self._lived = pid
            ports = outgoing.publishers + outgoing.subscribers + incoming.subscribers
            owners = tuple((port.node, nodes.pid(port.node)) for port in ports if port.active)
            self._steady = _Steady(outgoing, incoming, owners, links)
            return self._live(pid, outgoing)
        return Reading(
            verdict,
            owner=owner or None,
            version=outgoing.version or incoming.version,
            bots=self._counted(links),
            detail=detail,
            users=_users(outgoing, sender),
        )

    def _is_steady(self, nodes: Nodes, outgoing: View, incoming: View, pid: int) -> bool:
        steady = self._steady
        return (
            steady is not None
            and outgoing is steady.outgoing
            and incoming is steady.incoming
            and self._is_proven(pid)
            and all(link.met for link in steady.links)
            and all(nodes.pid(node) == owner for node, owner in steady.owners)
            and self._data is not None
            and os.path.exists(self._data[1])  # noqa: PTH110 - hundreds of times a second
        )

    def _live(self, pid: int, outgoing: View) -> Reading:
        links = () if self._steady is None else self._steady.links
        glances = (self._outgoing.glance, self._incoming.glance)
        if glances[0] is not None and glances[1] is not None and all(link.met for link in links):
            self._fast = _Fast((glances[0], glances[1]), links)
        return Reading(Verdict.LIVE, owner=pid, version=outgoing.version, bots=self._counted(links))

    def _counted(self, links: tuple[Connection, ...]) -> tuple[BotLink, ...]:
        bots = tuple([link.read() for link in links])
        moved = [link.advance(bot.written) for link, bot in zip(links, bots, strict=True)]
        self.moved = any(moved)
        return bots

    def _claim(self, nodes: Nodes, files: ServiceFiles, view: View, ports: tuple[Port, ...], pid: int | None) -> _Claim:
        if view.state is State.UNKNOWN:
            tagged = nodes.tagged(files.digest)
            users = tuple(sorted(tagged - {pid}))
            if pid is None or pid in tagged:
                return _Claim(others=users, tagged=pid is not None)
            return _Claim(others=users, tagged=files.is_held_by(pid), legible=False)
        ours: Port | None = None
        others: list[int] = []
        dead = dropped = False
        for port in ports:
            owner = nodes.pid(port.node)
            if not port.active:
                dropped = dropped or (pid is not None and owner == pid)
            elif owner is None:
                dead = True
            elif owner == pid:
                ours = port
            else:
                others.append(owner)
        return _Claim(ours, tuple(others), dead, dropped, tagged=ours is not None)

    def _judge(
        self, nodes: Nodes, pid: int | None, views: tuple[View, View], claims: tuple[_Claim, _Claim]
    ) -> tuple[Verdict, int | None, str | None]:
        unknown = next((view for view in views if view.state is State.UNKNOWN), None)
        owned = all(claim.tagged for claim in claims)
        port = claims[0].port
        intact = unknown is None and owned and port is not None
        if pid is not None and not (intact and self._is_proven(pid)):
            if (name := detached(pid, self._place)) is not None:
                return Verdict.SPLIT, None, f"{name} was removed or replaced while process {pid} uses it"
            self._proven = self._proof(pid)
        if intact and port is not None:
            if self._has_data(nodes, port):
                return Verdict.LIVE, pid, None
            return Verdict.CORRUPT, pid, f"publisher of {self._outgoing.name} without data segment"
        foreign = [
            other
            for view, claim in zip(views, claims, strict=True)
            if view.state is State.OPEN
            for other in claim.others
        ]
        if foreign:
            who = f"process {foreign[0]}" if foreign[0] else "a process in another pid namespace"
            return Verdict.FOREIGN, foreign[0], f"held by {who}"
        corrupt = next((view for view in views if view.state is State.CORRUPT), None)
        if corrupt is not None:
            return Verdict.CORRUPT, None, corrupt.detail
        if unknown is not None and owned:
            return Verdict.UNVERIFIED, pid, unknown.detail
        if pid is None:
            return self._judge_unowned(views, claims, unknown)
        return self._judge_partial(pid, views, claims)

    def _judge_unowned(
        self, views: tuple[View, View], claims: tuple[_Claim, _Claim], unknown: View | None
    ) -> tuple[Verdict, int | None, str | None]:
        if all(view.state is State.ABSENT for view in views):
            return Verdict.MISSING, None, None
        if unknown is not None and any(claim.others for claim in claims):
            pids = sorted({other for claim in claims for other in claim.others})
            return Verdict.UNVERIFIED, None, f"{unknown.detail}, used by {', '.join(map(str, pids))}"
        unfinished = next((view for view in views if view.state is State.UNFINISHED), None)
        if unfinished is not None:
            return Verdict.CORRUPT, None, unfinished.detail
        return Verdict.STALE, None, "left by a process that ended" if any(c.dead for c in claims) else "no connector"

    def _judge_partial(
        self, pid: int, views: tuple[View, View], claims: tuple[_Claim, _Claim]
    ) -> tuple[Verdict, int | None, str | None]:
        absent = [
            files.name
            for files, claim in zip((self._outgoing, self._incoming), claims, strict=True)
            if not claim.tagged
        ]
        owner = pid if len(absent) == 1 else None
        if self._lived == pid and any(claim.dead for claim in claims):
            return Verdict.STALE, None, f"left by process {pid}, which ended"
        if self._lived == pid or any(claim.dropped for claim in claims):
            return Verdict.RELEASED, owner, f"process {pid} has no port on {' and '.join(absent)} any more"
        unfinished = next((view.detail for view in views if view.state is State.UNFINISHED), None)
        return Verdict.STARTING, owner, unfinished or f"process {pid} has no port on {' and '.join(absent)} yet"

    def _proof(self, pid: int) -> tuple[object, ...]:
        return pid, self._outgoing.stamp, self._incoming.stamp

    def _is_proven(self, pid: int) -> bool:
        """Tell whether these very files were already compared with those that the process holds."""
        return self._proven == self._proof(pid)

    def _place(self, name: str) -> Path | None:
        return self._outgoing.place(name) or self._incoming.place(name)

    def _has_data(self, nodes: Nodes, port: Port) -> bool:
        if self._data is not None and self._data[0] == port.id and self._data[1].exists():
            return True
        name = nodes.shared_memory(f"{port.id}.data")
        if name is None:
            return False
        self._data = (port.id, SHARED_MEMORY / name)
        return self._data[1].exists()

    def _attach(self, nodes: Nodes, view: View) -> tuple[Connection, ...]:
        """Bring the connections in line with the ports; returns those of living bots, in the order of their slots."""
        publisher = next((port.id for port in view.publishers if port.active), 0)
        links: dict[tuple[int, int], Connection] = {}
        for port in view.subscribers:
            bot = nodes.pid(port.node) if port.active else None
            if bot is None or view.version is None or view.layout is None:
                continue
            key = (publisher, port.id)
            link = self._connections.pop(key, None)
            if link is None:
                name = f"{publisher}_{port.id}.connection"
                link = Connection(bot, name, view.version, view.layout, seen=0 if self._scanned else None)
            link.meet(nodes)
            links[key] = link
        for connection in self._connections.values():
            connection.close()
        self._connections = links
        return tuple(links.values())


def _users(view: View, claim: _Claim) -> tuple[int, ...] | None:
    if view.state is not State.UNKNOWN:
        return ()
    return None if claim.tagged and not claim.legible else claim.others
