"""Everything that comes before a stack's processes: its home, its binaries, its deployment, a look at the machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from orchestrator.deployment import lockfile
from orchestrator.engine import attribution
from orchestrator.engine.answering import refuse_mute
from orchestrator.engine.locking import refuse_unlocked
from orchestrator.engine.requirement import refuse_unmet
from orchestrator.errors import HftstackError, RefusedError
from orchestrator.observe import selection
from orchestrator.resolve import build_request, resolve, reuse
from orchestrator.resolve.configs import Configs
from orchestrator.resolve.scope import Scope
from orchestrator.supervise import halt, lock, records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.build import BuildRequest, BuildResult
    from orchestrator.deployment.homes import Home, StackHome
    from orchestrator.deployment.model import Deployment
    from orchestrator.stack.model import Stack


_LATER: Final = ("orchestrator.doctor.preflight", "orchestrator.engine.ascent", "psutil")
"""What an `up` needs when cargo has ended, and imports meanwhile: 30 ms."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """A stack that is ready to be brought up; `warnings` are for its owner to hear first.

    `by` is who prepared it and the commit that its file was of at that time.
    """

    stack: Stack
    home: StackHome
    binaries: BuildResult | None
    deployment: Deployment
    configs: Configs
    warnings: tuple[str, ...]
    by: dict[str, Any]


def claim(stack: Stack, home: Home, environ: Mapping[str, str]) -> StackHome:
    """Return the stack's home, its folders made.

    Raises RefusedError when the repository is not what the stack requires, the stack is halted, one of that name runs
    from another file, or the folders cannot be had. What the file required when it was committed, and now does not, is
    for `prepare` to ask.
    """
    if stack.require is not None:
        refuse_unmet(stack, environ)
    own = home.stack(stack.name)
    halt.refuse(own)
    refuse_another(stack, own)
    own.prepare()
    return own


def refuse_another(stack: Stack, home: StackHome) -> None:
    """Raise RefusedError if the stack of that name which runs is another one: from another file."""
    deployed = selection.deployed_file(home)
    if deployed is not None and deployed != str(stack.file) and (lock.holder(home.lock) is not None or _living(home)):
        raise RefusedError(
            f"a stack named {stack.name} is running from {deployed}",
            where=str(stack.file),
            hint="give this one another `name:`, or stop that one first",
        )


def prepare(
    stack: Stack,
    home: StackHome,
    *,
    environ: Mapping[str, str],
    build: Callable[[BuildRequest], BuildResult] | None,
    only: Sequence[str] | None = None,
    until_logout: bool = False,
    locked: bool = False,
) -> Preparation:
    """Build, resolve, and look at the machine. Nothing of the stack is touched.

    Args:
        stack: what was loaded.
        home: what `claim` returned.
        environ: the caller's environment.
        build: does what `orchestrator.build.ensure` does; None takes the binaries of an earlier build.
        only: the units that are to be brought in: others' secrets are not read; None for all.
        until_logout: the channels need not survive this user's logout.
        locked: refuse what differs from the lock beside the stack file, even if the stack does not require it.

    Raises:
        BuildError: cargo failed, its connector cannot be run, or there is no earlier build.
        ResolveError, ChannelConfigError: a command, a URL, a variable or an iceoryx2 config does not fit.
        RefusedError: a start would fail or harm on this machine, or the lock says something else.
    """
    locked = locked or (stack.require is not None and stack.require.locked)
    if locked:
        lockfile.read(lockfile.path_of(stack.file))  # before the minutes that a build may take
    with ThreadPoolExecutor(3) as beside:  # while cargo works
        by = beside.submit(attribution.by, environ, stack.file)
        unmet = None if stack.require is not None else beside.submit(refuse_unmet, stack, environ)
        beside.map(import_module, _LATER)
        binaries = reuse(stack, home=home) if build is None else _built(stack, home, build)
    if unmet is not None:
        unmet.result()
    if locked:
        refuse_unlocked(stack, home, environ=environ, binaries=binaries, built=build is not None)
    from orchestrator.doctor.finding import sharing  # noqa: PLC0415 - imported by now
    from orchestrator.doctor.preflight import check  # noqa: PLC0415 - likewise

    configs = Configs(home.configs)
    with ThreadPoolExecutor(1) as beside:
        answer = beside.submit(refuse_mute, binaries, environ=environ)
        scope = scope_of(stack, home, only)
        deployment = resolve(stack, home=home, binaries=binaries, environ=environ, configs=configs, scope=scope)
        preflight = partial(
            check, deployment, home, environ=environ, until_logout=until_logout, configs=configs, sharing=sharing(stack)
        )
        warnings = _preflight(preflight, home)
        answer.result()
    return Preparation(stack, home, binaries, deployment, configs, warnings, by.result())


def _living(home: StackHome) -> dict[str, int]:
    """Return the pid of each unit that runs."""
    from orchestrator.observe.unsupervised import living  # noqa: PLC0415 - imported while cargo worked, mostly

    return living(home)


def scope_of(stack: Stack, home: StackHome, only: Sequence[str] | None) -> Scope | None:
    """Return which units' secrets are read for an `up` of the units `only`, None for all.

    All are, where processes run of which no record tells what they were started from.
    """
    if only is None:
        return None
    try:
        deployed = records.read_deployment(home.deployment)
    except HftstackError:
        return None
    return None if deployed is None and _living(home) else Scope.of(stack, only, deployed)


def render(preparation: Preparation) -> None:
    """Write the configs: after a supervisor that was leaving took the folder with it, before one acts on them.

    Raises RefusedError when they cannot be written.
    """
    preparation.home.prepare()
    preparation.configs.write()


def _built(stack: Stack, home: StackHome, build: Callable[[BuildRequest], BuildResult]) -> BuildResult | None:
    request = build_request(stack, home=home)
    return None if request is None else build(request)


def _preflight(preflight: Callable[[Mapping[str, int]], tuple[str, ...]], home: StackHome) -> tuple[str, ...]:
    """Return the warnings for this machine. A unit that is restarted meanwhile is no stranger on its own channel."""
    running = _living(home)
    while True:
        try:
            return preflight(running)
        except RefusedError:
            before, running = running, _living(home)
            if before == running:
                raise
