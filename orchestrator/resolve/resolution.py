"""A stack, resolved for this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.channel.location import locate_own
from orchestrator.deployment.model import Channel, Deployment, File, Kind, UnitSpec
from orchestrator.resolve import policies, streams
from orchestrator.resolve.commands import Commands
from orchestrator.resolve.configs import Configs
from orchestrator.resolve.environment import INHERITED, unit_environment
from orchestrator.resolve.error import ResolveError
from orchestrator.resolve.hooks import HookPrograms
from orchestrator.resolve.programs import Programs
from orchestrator.resolve.vault import Vault
from orchestrator.stack import templates
from orchestrator.stack.model import SIM, Bot, Connector, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.build import BuildResult
    from orchestrator.channel.location import Location
    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Endpoint
    from orchestrator.resolve.scope import Scope
    from orchestrator.stack.model import Stack


def resolve(
    stack: Stack,
    *,
    home: StackHome,
    binaries: BuildResult | None,
    environ: Mapping[str, str],
    configs: Configs | None = None,
    stand_ins: Mapping[str, str] | None = None,
    scope: Scope | None = None,
    commands: Commands | None = None,
    locate: Callable[..., Location] = locate_own,
) -> Deployment:
    """Resolve a loaded stack. Nothing is written but, the first time, the home's key.

    Args:
        stack: what `orchestrator.stack.load` returned.
        home: the stack's home, prepared.
        binaries: what `build.ensure` or `reuse` returned; None when nothing needs cargo.
        environ: the caller's environment: its PATH finds programs, and units inherit a few of its variables.
        configs: takes the configs, for its caller to write; they lie in `home.configs`.
        stand_ins: what stands for each secret where they are not to be had; None reads them.
        scope: the units whose secrets are read, None for all; the others have the config that they are deployed with
            if it is as the file says, else one that is nowhere.
        commands: finds programs, by default on this machine.
        locate: finds the channels of what runs in a folder; is told whether that has a `modern` iceoryx2.

    Raises:
        ResolveError: a command, a URL, a variable or a secret does not fit; shows every unit that has such a fault,
            notify, and the secrets by themselves.
        StackError: with its secrets in it a config breaks a rule.
        ChannelConfigError: an iceoryx2 config that a unit would read is unusable.
        RefusedError: the home's key cannot be used.
        BuildError: `binaries` lacks a program.
    """
    locations = {name: locate(unit.cwd, modern=unit.type == SIM) for name, unit in stack.connectors.items()}
    configs = Configs(home.configs) if configs is None else configs
    vault = Vault(stack, environ, home.home, scope=scope)
    confidential, left = vault.rendered() if stand_ins is None else ({}, {})
    commands = Commands(environ.get("PATH", "")) if commands is None else commands
    programs = Programs(commands, binaries)
    hooks = HookPrograms(commands, stack.file.parent, environ)
    channel_config = _channel_config(stack, configs)
    specs: dict[str, UnitSpec] = {}
    errors: list[ResolveError] = []
    for kind, name, unit in stack.units():
        try:
            if isinstance(unit, Connector) and unit.external:
                specs[name] = _watched(stack, name, unit, locations[name])
                continue
            specs[name] = _spec(
                stack,
                kind,
                name,
                unit,
                config=(
                    configs.secret(name, confidential[name], vault.digest(confidential[name]))
                    if name in confidential
                    else left[name] or configs.unread(name)
                    if name in left
                    else _config(stack, name, configs, stand_ins or {})
                ),
                confidential=_is_confidential(stack, name),
                channel_config=None if kind is Kind.SERVICE else channel_config,
                programs=programs,
                hooks=hooks,
                location=locations.get(name),
                environ=environ,
            )
        except ResolveError as error:
            error.where = name
            errors.append(error)
    notify = None
    try:
        notify = hooks.notify(stack.notify, stack.env)
    except ResolveError as error:
        error.where = "notify"
        errors.append(error)
    if errors:
        raise ResolveError.of(errors)
    units = tuple(specs[name] for name in stack.order())
    return Deployment(
        stack=stack.name,
        file=str(stack.file),
        network=stack.network,
        units=units,
        notify=notify,
        rollback=stack.rollback,
        sources=_sources(stack, vault) if stand_ins is None else (),
        inherited=tuple(sorted((key, environ[key]) for key in INHERITED if key in environ)),
    )


def _is_confidential(stack: Stack, name: str) -> bool:
    config = stack.config(name)
    return config is not None and bool(templates.names(dict(config.table)))


def _sources(stack: Stack, vault: Vault) -> tuple[File, ...]:
    found = sorted(stack.sources().items())
    return tuple(File(str(path), vault.digest(content)) for path, content in found)


def _spec(
    stack: Stack,
    kind: Kind,
    name: str,
    unit: Connector | Service | Bot,
    *,
    config: File | None,
    confidential: bool,
    channel_config: File | None,
    programs: Programs,
    hooks: HookPrograms,
    location: Location | None,
    environ: Mapping[str, str],
) -> UnitSpec:
    connectors = _connectors(stack, unit)
    argv, executable = programs.command(name, unit, config=config, connectors=connectors)
    endpoints = _endpoints(stack, name, unit)
    return UnitSpec(
        name=name,
        kind=kind,
        type=None if isinstance(unit, Service) else unit.type,
        argv=argv,
        executable=executable,
        cwd=str(unit.cwd),
        env=unit_environment(environ, unit.env, channel_config=Path(channel_config.path) if channel_config else None),
        files=tuple(file for file in (config, channel_config) if file is not None),
        target=policies.target(kind, streams=bool(endpoints)),
        streams=endpoints,
        depends_on=policies.dependencies(unit),
        channel=Channel(name, location.root, location.prefix) if kind is Kind.CONNECTOR and location else None,
        attaches=connectors if isinstance(unit, Bot) and unit.attached else (),
        ready=policies.ready_check(unit) if isinstance(unit, Service) else None,
        health=policies.health(unit),
        restart=policies.restart(unit),
        grace=unit.stop.grace,
        resources=policies.resources(unit, confidential=confidential),
        hooks=hooks.hooks(unit.hooks, unit.env),
        logs=policies.logs(unit),
        code=programs.code(unit),
        given=_given(stack, kind, name, unit),
    )


def _given(stack: Stack, kind: Kind, name: str, unit: Connector | Service | Bot) -> tuple[str, ...]:
    """Return what the caller's environment has a part in; the path of a program, argv[0], is no secret."""
    if isinstance(unit, Connector):
        return ()
    key, words, first = ("args", unit.args, 0) if unit.command is None else ("command", unit.command, 1)
    places = range(first, len(words))
    section = f"{kind}s"
    given = [f"argv.{place + 1 - first}" for place in places if stack.is_given(section, name, key, str(place))]
    return (*given, *(["ready"] if stack.is_given(section, name, "ready") else []))


def _watched(stack: Stack, name: str, unit: Connector, location: Location) -> UnitSpec:
    """Return a connector that is started by hand: nothing to run, and no config of it on disk."""
    endpoints = _endpoints(stack, name, unit)
    return UnitSpec(
        name=name,
        kind=Kind.CONNECTOR,
        type=unit.type,
        external=True,
        argv=(),
        executable=None,
        cwd=str(unit.cwd),
        env=(),
        target=policies.target(Kind.CONNECTOR, streams=bool(endpoints)),
        streams=endpoints,
        channel=Channel(name, location.root, location.prefix),
        health=policies.health(unit),
    )


def _connectors(stack: Stack, unit: Connector | Service | Bot) -> tuple[str, ...]:
    """Return the connectors that a bot depends on."""
    return tuple(name for name in unit.depends_on if name in stack.connectors) if isinstance(unit, Bot) else ()


def _config(stack: Stack, name: str, configs: Configs, stand_ins: Mapping[str, str]) -> File | None:
    config = stack.config(name)
    if config is None:
        return None
    if config.content is not None and not templates.names(dict(config.table)):
        return configs.content(name, config.content)
    return configs.table(name, {key: templates.filled(value, stand_ins) for key, value in config.table.items()})


def _channel_config(stack: Stack, configs: Configs) -> File | None:
    channel = stack.channel
    if channel is None:
        return None
    return configs.table("channel", {"buffer_size": channel.buffer_size, "max_bots": channel.max_bots})


def _endpoints(stack: Stack, name: str, unit: Connector | Service | Bot) -> tuple[Endpoint, ...]:
    config = stack.config(name)
    if not isinstance(unit, Connector) or config is None:
        return ()
    return streams.endpoints(unit.type, config.table)
