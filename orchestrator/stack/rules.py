"""What must hold between the parts of a stack: programs, dependencies, names.

The rules look at plain data and skip what is malformed, so that one wrong key does not hide the mistakes of others.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import Kind
from orchestrator.stack import graph, sizes
from orchestrator.stack import pointer as json_pointer
from orchestrator.stack.declared import KINDS, view_of
from orchestrator.stack.document import Finding, quote
from orchestrator.stack.model import NOT_BY_HAND, SIM, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestrator.stack.declared import DeclaredUnit, Need, View

_UNIT_DEPTH: Final = 2

_CONDITIONS: Final = {
    Kind.CONNECTOR: ("started", "live", "connected", "fresh", "ready"),
    Kind.SERVICE: ("started", "ready"),
    Kind.BOT: ("started", "ready"),
}


def _declares_something(view: View) -> Iterator[Finding]:
    if not view.units:
        yield Finding("", "the stack declares no unit", "add connectors:, services: or bots:", "empty-stack")


def _names_are_unique(view: View) -> Iterator[Finding]:
    first: dict[str, DeclaredUnit] = {}
    for unit in view.units:
        other = first.setdefault(unit.name, unit)
        if other is not unit:
            yield Finding(
                unit.pointer,
                f"the name {quote(unit.name)} is that of a {other.kind} already",
                "give every connector, service and bot a name of its own",
                "duplicate-name",
                on_key=True,
            )


def _dependencies_fit(view: View) -> Iterator[Finding]:
    for unit in view.units:
        for need in unit.needs():
            yield from _dependency_fits(unit, need, view.kinds)


def _dependency_fits(unit: DeclaredUnit, need: Need, kinds: Mapping[str, Kind]) -> Iterator[Finding]:
    if need.name == unit.name:
        yield Finding(
            need.pointer, f"{quote(unit.name)} depends on itself", "remove it", "self-dependency", need.on_key
        )
        return
    kind = kinds.get(need.name)
    if kind is None:
        near = get_close_matches(need.name, kinds, 1, cutoff=0.5)
        hint = (
            f"did you mean {near[0]}?"
            if near
            else f"the units are {_listed(name for name in kinds if name != unit.name)}"
        )
        yield Finding(need.pointer, f"there is no unit {quote(need.name)}", hint, "unknown-unit", need.on_key)
        return
    if kind is Kind.BOT and unit.kind is not Kind.BOT:
        yield Finding(
            need.pointer,
            f"a {unit.kind} cannot depend on a bot, and {quote(need.name)} is one",
            "let the bot depend on it, or declare what is no bot under services:",
            "dependency-kind",
            need.on_key,
        )
    levels = _CONDITIONS[kind]
    if (
        isinstance(need.condition, str)
        and need.condition not in levels
        and need.condition in _CONDITIONS[Kind.CONNECTOR]
    ):
        yield Finding(
            json_pointer.child(need.pointer, "condition"),
            f"{quote(need.condition)} is no level of {quote(need.name)}, which is a {kind}",
            f"write {_alternatives(levels)}",
            "condition-kind",
        )


def _listed(names: Iterator[str]) -> str:
    few = list(names)
    if not few:
        return "none but this one"
    return ", ".join(few[:8]) + (", .." if len(few) > 8 else "")  # noqa: PLR2004 - as many as one line holds


def _alternatives(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _nothing_waits_for_itself(view: View) -> Iterator[Finding]:
    edges: dict[str, list[str]] = {}
    places: dict[tuple[str, str], Need] = {}
    for unit in view.units:
        needs = [need for need in unit.needs() if need.name in view.kinds and need.name != unit.name]
        edges.setdefault(unit.name, []).extend(need.name for need in needs)
        for need in needs:
            places.setdefault((unit.name, need.name), need)
    for cycle in graph.cycles(edges):
        need = places[cycle[0], cycle[1]]
        way = " -> ".join((*cycle, cycle[0]))
        yield Finding(
            need.pointer,
            f"these wait for each other: {way}",
            "remove one of these dependencies",
            "dependency-cycle",
            need.on_key,
        )


def _connectors_are_complete(view: View) -> Iterator[Finding]:
    for unit in view.units:
        if unit.kind is not Kind.CONNECTOR:
            continue
        simulated = unit.data.get("type") == SIM
        if simulated and "features" in unit.data:
            yield Finding(
                unit.at("features"),
                "a simulated connector is not built, so it has no features",
                "remove it",
                "sim-features",
                on_key=True,
            )
        external = unit.data.get("external") is True
        if not simulated and not external and "type" in unit.data and "config" not in unit.data:
            yield Finding(
                unit.pointer,
                "a connector needs a config",
                "add config: a TOML file's path, or the table itself",
                "missing-key",
                on_key=True,
            )
        if unit.data.get("features") == []:
            yield Finding(unit.at("features"), "names no feature", "remove it: the default is [type]", "feature")


def _what_is_started_by_hand_is_only_watched(view: View) -> Iterator[Finding]:
    for unit in view.units:
        if unit.kind is not Kind.CONNECTOR or unit.data.get("external") is not True:
            continue
        for key in NOT_BY_HAND:
            if key in unit.data:
                yield Finding(
                    unit.at(key),
                    f'"{key}" has no effect on an external connector, which hftstack neither starts nor stops',
                    "remove it, or external",
                    "external-key",
                    on_key=True,
                )


def _windows_have_an_age(view: View) -> Iterator[Finding]:
    declared = [unit.data.get("restart") for unit in view.units]
    ages = [isinstance(restart, dict) and "max_age" in restart for restart in declared]
    common = isinstance(view.restart, dict) and "max_age" in view.restart
    places = [
        unit.at("restart")
        for unit, restart, aged in zip(view.units, declared, ages, strict=True)
        if isinstance(restart, dict) and "window" in restart and not (aged or (common and unit.kind is not Kind.BOT))
    ]
    if isinstance(view.restart, dict) and "window" in view.restart and not common and not any(ages):
        places.append("/defaults/restart")
    for place in places:
        yield Finding(
            json_pointer.child(place, "window"),
            "a window without max_age: nothing is ever restarted for its age",
            "add max_age: 23h, or remove it",
            "window-age",
            on_key=True,
        )


def _programs_are_clear(view: View) -> Iterator[Finding]:
    for unit in view.units:
        if unit.kind is Kind.CONNECTOR:
            continue
        ways: list[str] = [key for key in ("command", "package") if key in unit.data]
        if unit.kind is Kind.BOT and "type" in unit.data:
            ways.append("type")
        choice = "command: [program, argument, ..] or package: NAME"
        if unit.kind is Kind.BOT:
            choice = "command: [program, argument, ..], package: NAME or type: sim"
        if not ways:
            yield Finding(
                unit.pointer, f"this {unit.kind} has no program to run", f"add {choice}", "program-missing", on_key=True
            )
        for extra in ways[1:]:
            yield Finding(
                unit.at(extra),
                f"{quote(ways[0])} says what to run already",
                f"keep one of {choice}",
                "program-twice",
                on_key=True,
            )
        if "package" not in unit.data:
            for key in ("bin", "args"):
                if key in unit.data:
                    yield Finding(
                        unit.at(key),
                        f'"{key}" belongs to a package',
                        "add package: NAME, or put arguments into command: [..]",
                        "package-missing",
                        on_key=True,
                    )


def _services_have_one_check(view: View) -> Iterator[Finding]:
    for unit in view.units:
        ready = unit.data.get("ready")
        if unit.kind is Kind.SERVICE and isinstance(ready, dict):
            checks = [key for key in ("tcp", "exec", "log") if key in ready]
            if len(checks) != 1 and not (not checks and ready):
                yield Finding(
                    unit.at("ready"),
                    "a service has one ready check" + (f", not {len(checks)}" if checks else ", and this is none"),
                    'write one of {tcp: "HOST:PORT"}, {exec: [..]}, {log: REGEX}',
                    "ready-check",
                    on_key=True,
                )


def _bots_have_what_they_attach_to(view: View) -> Iterator[Finding]:
    for unit in view.units:
        if unit.kind is not Kind.BOT:
            continue
        on_connector = any(view.kinds.get(need.name) is Kind.CONNECTOR for need in unit.needs())
        if unit.data.get("type") == SIM and not on_connector:
            yield Finding(
                unit.pointer,
                "a simulated bot needs a connector to listen to",
                "add depends_on: [CONNECTOR]",
                "bot-connector",
                on_key=True,
            )
        if unit.data.get("attached") is True and not on_connector:
            yield Finding(
                unit.at("attached"),
                "this bot depends on no connector that it could be attached to",
                "add the connector to depends_on, or remove attached",
                "bot-connector",
                on_key=True,
            )
        if "config" in unit.data and "type" not in unit.data:
            yield Finding(
                unit.at("config"),
                "only a simulated bot has a config",
                "pass the file to your program in command: [..]",
                "bot-config",
                on_key=True,
            )


def nothing_is_null(value: object, pointer: str = "") -> Iterator[Finding]:
    """Yield the keys and items without a value; a config says so itself, in the words of TOML."""
    if value is None:
        message, hint = "this key has no value", "give it a value, or remove the key"
        yield Finding(pointer, message, hint, "no-value")
    elif isinstance(value, dict):
        in_unit = pointer.count("/") == _UNIT_DEPTH
        for key, item in value.items():
            if item is None or (isinstance(item, dict | list) and not (in_unit and key == "config")):
                yield from nothing_is_null(item, json_pointer.child(pointer, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from nothing_is_null(item, json_pointer.child(pointer, index))


_RULES: Final[tuple[Callable[[View], Iterator[Finding]], ...]] = (
    _declares_something,
    _names_are_unique,
    _dependencies_fit,
    _nothing_waits_for_itself,
    _connectors_are_complete,
    _what_is_started_by_hand_is_only_watched,
    _windows_have_an_age,
    _programs_are_clear,
    _services_have_one_check,
    _bots_have_what_they_attach_to,
)


def _source_is_one(source: object) -> Iterator[Finding]:
    if not isinstance(source, dict):
        return
    given = source.keys() & {"path", "git", "rev"}
    if given in ({"path"}, {"git", "rev"}) or (not given and source):
        return
    messages = {
        frozenset({"git"}): ("a repository without a commit may change after the review", "add rev: COMMIT, in full"),
        frozenset({"rev"}): ("a commit without its repository", "add git: URL"),
        frozenset(): ("a source without a place", "write {path: FOLDER} or {git: URL, rev: COMMIT}"),
    }
    both = ("a source is a folder or a repository, not both", "keep path, or git and rev")
    message, hint = messages.get(frozenset(given), both)
    yield Finding("/source", message, hint, "source", on_key=True)


def check(data: Mapping[str, object]) -> Iterator[Finding]:
    """Yield what is wrong between the parts of a stack file's data."""
    yield from _source_is_one(data.get("source"))
    view = view_of(data)
    for rule in _RULES:
        yield from rule(view)


def check_merged(stack: Stack) -> Iterator[Finding]:
    """Yield what is wrong only after the defaults were put under each unit's own values."""
    sections = {kind: section for section, kind in KINDS.items()}
    for kind, name, unit in stack.units():
        backoff = unit.restart.backoff
        if backoff.initial > backoff.maximum:
            yield Finding(
                json_pointer.join((sections[kind], name, "restart", "backoff")),
                f"backoff begins at {backoff.initial:g}s, which is longer than its max of {backoff.maximum:g}s",
                "write initial and max together",
                "backoff-range",
                on_key=True,
            )
        health = unit.health
        if health.stale_after <= health.interval:
            yield Finding(
                json_pointer.join((sections[kind], name, "health")),
                f"stale after {health.stale_after:g}s, but looked at only every {health.interval:g}s",
                "let stale_after be several times the interval, and write both together",
                "stale-interval",
                on_key=True,
            )
        if unit.logs.keep < 2 * unit.logs.max_size:
            yield Finding(
                json_pointer.join((sections[kind], name, "logs")),
                f"keep is {sizes.render(unit.logs.keep)}, less than twice a max_size of "
                f"{sizes.render(unit.logs.max_size)}",
                "raise keep or lower max_size, and write both together",
                "logs-keep",
                on_key=True,
            )
