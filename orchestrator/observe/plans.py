"""A plan for people: as text, and as Markdown for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import Kind
from orchestrator.deployment.plan import Action, Process
from orchestrator.observe.table import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.deployment.changes import Change
    from orchestrator.deployment.plan import Plan, Step

DIGITS: Final = 8
"""How much of a plan's digest is shown."""

_SIGNS: Final = {
    Action.ADD: "+",
    Action.CHANGE: "~",
    Action.START: ">",
    Action.RESTART: "~",
    Action.STOP: "!",
    Action.REMOVE: "-",
    Action.KEEP: " ",
}
_COUNTED: Final = {
    Action.ADD: "to add",
    Action.CHANGE: "to change",
    Action.START: "to start",
    Action.RESTART: "to restart",
    Action.STOP: "to stop",
    Action.REMOVE: "to remove",
    Action.KEEP: "kept",
}


def lines(plan: Plan, digest: str | None = None) -> Iterator[str]:
    """Yield a plan as text; `digest` is what the journal of an `up` that does it will have."""
    yield f"{plan.stack}  {plan.network}  {'' if plan.old else 'nothing runs'}".rstrip()
    if plan.settings:
        yield f"{_SIGNS[Action.CHANGE]} settings"
    for change in plan.settings:
        yield f"    {_setting(change)}"
    for step in plan.steps:
        if step.action is Action.KEEP:
            continue
        yield f"{_SIGNS[step.action]} {_head(step)}"
        for change in step.changes:
            yield f"    {_change(change)}"
        for effect in effects(step):
            yield f"    => {effect}"
    for note in plan.notes:
        yield f"note: {note}"
    yield f"{summary(plan)}.{f'  plan {digest[:DIGITS]}' if digest else ''}"


def markdown(plan: Plan, digest: str | None = None) -> Iterator[str]:
    """Yield a plan as Markdown, likewise."""
    yield f"### {_plain(plan.stack)} ({plan.network}): {summary(plan)}"
    steps = [step for step in plan.steps if step.action is not Action.KEEP]
    if steps or plan.settings:
        yield ""
        yield "| unit | what | change | effect |"
        yield "|---|---|---|---|"
    if plan.settings:
        yield f"| (settings) | change | {'<br>'.join(_code(_setting(change)) for change in plan.settings)} | |"
    for step in steps:
        changed = "<br>".join(_code(_change(change)) for change in step.changes) or _plain(step.reason)
        effect = "<br>".join(_plain(text) for text in effects(step))
        yield f"| {_code(step.unit)} | {step.action} ({step.process}) | {changed} | {effect} |"
    notes = [*map(_plain, plan.notes), *([f"plan {_code(digest[:DIGITS])}"] if digest else [])]
    if notes:
        yield ""
    for note in notes:
        yield f"- {note}"


def summary(plan: Plan) -> str:
    """Return the plan in numbers: 1 to change, 2 kept; dark: bf."""
    counts = {action: sum(step.action is action for step in plan.steps) for action in Action}
    told = ", ".join(f"{count} {_COUNTED[action]}" for action, count in counts.items() if count) or "no units"
    if plan.settings:
        told = f"{len(plan.settings)} {'setting' if len(plan.settings) == 1 else 'settings'} to change, {told}"
    if plan.is_empty:
        return f"nothing to change, {told}"
    dark = [step.unit for step in plan.steps if step.dark and step.kind is Kind.CONNECTOR]
    bots = [step.unit for step in plan.steps if step.dark and step.kind is Kind.BOT]
    return f"{told}{_named('channels that go dark', dark)}{_named('bots on them', bots)}"


def effects(step: Step) -> Iterator[str]:
    """Yield what a step does to trading."""
    if step.dark and step.kind is Kind.CONNECTOR:
        seen = step.blackout
        how = "for a time not known from this machine's history"
        if seen is not None:
            times = "once" if seen.n == 1 else f"{seen.n} times"
            how = f"for about {duration(seen.median)} (at worst {duration(seen.worst)}, seen {times})"
        if step.process is Process.STOPS:
            how = "for good"
        yield f"its channel goes dark {how}"
    if step.dark and step.kind is Kind.BOT:
        yield "it loses its channel" if step.process is Process.RUNS else "it is without data meanwhile"
    if step.cancels:
        yield "each symbol that a bot registers has its open orders cancelled, those of other programs too"
    if step.grace is not None:
        yield f"its stop may take {duration(step.grace)}"


def _head(step: Step) -> str:
    what = {Process.STOPS: "is stopped", Process.NONE: "runs by itself"}.get(step.process, str(step.process))
    reason = f": {step.reason}" if step.reason and not (step.changes and step.reason.startswith("changed")) else ""
    return f"{step.unit}  {step.kind}  {step.action}, {what}{reason}"


def _change(change: Change) -> str:
    return f"{_setting(change)}{'' if change.restarts else '  (in place)'}"


def _setting(change: Change) -> str:
    old, new = ("(none)" if side is None else side or '""' for side in (change.old, change.new))
    return f"{change.field}: {old} -> {new}"


def _named(what: str, names: list[str]) -> str:
    return f"; {what}: {', '.join(names)}" if names else ""


def _code(text: str) -> str:
    """Return text as code in a table: whatever stands in it, it is no markup."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;")
    return f"<code>{safe.replace('`', '&#96;').replace(chr(10), ' ')}</code>"


def _plain(text: str) -> str:
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;")
    return "".join(f"\\{sign}" if sign in "\\`*_[]#@" else sign for sign in safe.replace("\n", " "))
