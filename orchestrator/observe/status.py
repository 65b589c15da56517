"""The status of a stack for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.observe.table import duration, render

_HEAD: Final = ("UNIT", "KIND", "STATE", "LEVEL", "PID", "FOR", "RESTARTS", "CHANNEL")
_EXPENDABLE: Final = tuple(map(_HEAD.index, ("KIND", "PID", "FOR", "RESTARTS", "LEVEL")))
_COLOURS: Final = {"up": "32", "finished": "32", "failed": "31", "lost": "31", "stopped": "2"}
_BEHIND: Final = 1000
"""Messages that a bot has not read, from which on it is said to be behind."""

_SILENT: Final = 5.0
"""Seconds without a message that are worth a word, and after a start those in which a bot is not called blind."""


def is_well(status: dict[str, Any]) -> bool:
    """Tell whether the stack is supervised and every wanted unit at its target."""
    return bool(
        status["supervised"]
        and not status["halted"]
        and status["units"]
        and all(unit["reached"] for unit in status["units"])
    )


def lines(status: dict[str, Any], *, now: float, width: int | None, colour: bool) -> list[str]:
    """Return the table; `now` in seconds since the epoch, `width` in columns or None for as wide as it is."""
    if not status["units"]:
        if status["halted"]:
            return [_halted(status)]
        return [f"nothing of {status['stack']} is deployed: hftstack up {status['file'] or 'FILE'} starts it"]
    rows = [_HEAD, *(_row(unit, status["units"], now) for unit in status["units"])]
    table = render(rows, width, _EXPENDABLE)
    if colour:
        coloured = zip(table[1:], status["units"], strict=True)
        table = [f"\x1b[1m{table[0]}\x1b[0m", *(_colour(text, unit) for text, unit in coloured)]
    for unit in status["units"]:
        if unit.get("log_lost"):
            table.append(f"{unit['name']}: {unit['log_lost']} bytes of its output were given up: the disk was full")
        if unit["pid"] is not None and unit.get("log", "") is None and not unit.get("external"):
            table.append(f"{unit['name']}: its output goes nowhere: no room for a log; `hftstack restart` gives it one")
    for change in status.get("drift", ()):
        table.append(f"drift: {change['unit']}: {change['text']}" if change["unit"] else f"drift: {change['text']}")
    if status["halted"]:
        table.append(_halted(status))
    elif not status["supervised"]:
        table.append(_unsupervised(status))
    return table


def _halted(status: dict[str, Any]) -> str:
    halt = status["halted"]
    narrowed = f" --stack {status['stack']}" if halt["scope"] == "stack" else ""
    when = f" at {halt['at']}" if halt["at"] else ""
    release = f"hftstack resume{narrowed} --reason TEXT releases it"
    return f"{status['stack']} is halted by {halt['user']}{when}: {halt['reason']}; {release}"


def _unsupervised(status: dict[str, Any]) -> str:
    up = f"hftstack up {status['file'] or 'FILE'}"
    if any(unit["pid"] is not None for unit in status["units"]):
        return f"{status['stack']} runs without a supervisor, nothing heals it: {up} takes it over"
    return f"{status['stack']} is down: {up} starts it"


def _colour(text: str, unit: dict[str, Any]) -> str:
    code = _COLOURS.get(unit["state"], "33") if unit["reached"] or unit["state"] != "up" else "33"
    return f"\x1b[{code}m{text}\x1b[0m"


def _row(unit: dict[str, Any], units: list[dict[str, Any]], now: float) -> tuple[str, ...]:
    return (
        unit["name"],
        unit["kind"],
        unit["state"],
        unit["level"] or "-",
        "-" if unit["pid"] is None else str(unit["pid"]),
        "-" if unit["since"] is None else duration(max(0.0, now - seconds(unit["since"]))),
        "-" if unit["restarts"] is None else str(unit["restarts"]),
        ", ".join(filter(None, ("external" if unit.get("external") else "", _remark(unit, units, now)))),
    )


def unverified(units: list[dict[str, Any]]) -> list[str]:
    """Return a line for each channel that runs unverified: what that means for the units on it."""
    warnings = []
    for unit in units:
        if unit["channel"] is not None and unit["channel"]["verdict"] == "unverified":
            bots = [
                other["name"] for other in units if other["proven"] is False and unit["name"] in other["depends_on"]
            ]
            blind = f", {', '.join(bots)} counted as attached unproven" if bots else ""
            warnings.append(f"{unit['name']} runs unverified: {unit['channel']['detail']}{blind}; messages not watched")
    return warnings


def seconds(text: str) -> float:
    """Return an RFC 3339 instant as seconds since the epoch."""
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


def _remark(unit: dict[str, Any], units: list[dict[str, Any]], now: float) -> str:
    if unit["state"] == "waiting" and unit["waits_for"]:
        return f"waits for {', '.join(unit['waits_for'])}" + (f" ({unit['why']})" if unit["why"] else "")
    if unit["state"] == "failed":
        return _failed(unit)
    if unit["state"] == "backoff" and unit.get("next_start") is not None:
        return f"{unit['why']}; next start in {duration(max(0.0, seconds(unit['next_start']) - now))}"
    if unit["state"] in {"backoff", "lost", "stopping", "waiting"} or (unit["why"] and not unit["reached"]):
        return unit["why"] or ""
    if unit["state"] == "stopped":
        return unit["unclean"] or ("" if unit["exit"] is None else f"exit {unit['exit']}")
    if unit["channel"] is not None:
        return _channel(unit, units, now)
    parts = [f"on {', '.join(unit['depends_on'])}"] if unit["depends_on"] else []
    if unit["proven"] is False:
        parts.append("unproven")
    return ", ".join([*parts, *_behind(unit, units)])


def _failed(unit: dict[str, Any]) -> str:
    kept = "not restarted, its policy is never" if unit.get("policy") == "never" else ""
    why = ", ".join(filter(None, (unit["why"] or "", kept)))
    if "hftstack" in why:
        return why
    return f"{why}: hftstack start {unit['name']}" if why else f"hftstack start {unit['name']}"


def _behind(bot: dict[str, Any], units: list[dict[str, Any]]) -> list[str]:
    """Return a remark for each channel on which a bot has much to read: its own trouble, not the connector's."""
    links = [(unit["name"], link) for unit in units if unit["channel"] for link in unit["channel"]["bots"]]
    return [
        f"{link['lag']} messages behind on {name}"
        for name, link in links
        if link["pid"] == bot["pid"] and (link["lag"] or 0) >= _BEHIND
    ]


def _channel(unit: dict[str, Any], units: list[dict[str, Any]], now: float) -> str:
    channel = unit["channel"]
    if channel["verdict"] not in {"live", "unverified"}:
        verdict = channel["verdict"] or "not seen yet"
        return f"{verdict}: {channel['detail']}" if channel["detail"] else verdict
    parts = []
    bots = channel["bots"]
    silent = channel["silent"]
    if channel["verdict"] == "unverified":
        parts.append(f"unverified: {channel['detail']}")
    if channel["verdict"] == "unverified" and all(bot["lag"] is None for bot in bots):
        parts.append(f"used by {', '.join(str(bot['pid']) for bot in bots)}" if bots else "no bot can be seen")
    elif not bots:
        parts.append("no bot")
    elif silent is None or silent > _SILENT:
        young = silent is None and unit["since"] is not None and now - seconds(unit["since"]) < _SILENT
        bound = [] if young else [other for other in units if other["kind"] == "bot"]
        blind = [other["name"] for other in bound if unit["name"] in other["depends_on"]]
        since = "yet" if silent is None else f"for {duration(silent)}"
        parts.append(f"no message {since}" + (f", bot {', '.join(blind)} blind" if blind else ""))
    else:
        rate = "" if channel["rate"] is None else f"{channel['rate']:.0f}/s, "
        lag = max(bot["lag"] for bot in bots)
        parts.append(f"{rate}{len(bots)} bot{'s' if len(bots) != 1 else ''}, lag {lag}")
    if unit["proven"] is False:
        parts.append("stream unproven")
    return ", ".join(parts)
