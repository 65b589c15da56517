"""One build of what a stack needs, from the workspace to the stored binaries."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from orchestrator.build import checkout, toolchain, workspace
from orchestrator.build.cargo import Cargo
from orchestrator.build.request import CONNECTOR, BuildRequest, BuildResult
from orchestrator.build.store import in_place, store
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from orchestrator.build.cargo import Progress
    from orchestrator.build.metadata import Metadata, Package


def ensure(
    request: BuildRequest, *, environ: Mapping[str, str], progress: Callable[[Progress], None] = lambda _: None
) -> BuildResult:
    """Build what the request names and store its binaries; cargo alone judges what is out of date.

    Raises BuildError, with the compiler's errors in full as its detail; KeyboardInterrupt after cargo has ended.
    """
    started = time.monotonic()
    environ = request.visible(environ)
    environment = _environment(request, environ)
    source = request.source
    if request.repository is not None:
        source = checkout.ensure(request.repository, environ=environ, progress=progress)
        environment = {"CARGO_TARGET_DIR": str(checkout.target(request.repository)), **environment}
    manifest = workspace.find(request.start, source=source, environ=environ)
    program = toolchain.cargo(environment)
    toolchain.c_compiler(environment)
    cargo = Cargo(program, environment)
    with ThreadPoolExecutor(1) as beside:  # as long as cargo takes to read the workspace
        bindgen = beside.submit(_bindgen, environment)
        metadata = cargo.metadata(manifest, "--no-deps")
    chosen = {program: _binary(metadata.package(program.package), program.binary) for program in request.programs}
    if CONNECTOR in chosen:
        check_features(metadata.package(CONNECTOR.package), request.features)
    options = command_options(request, metadata)
    variables = bindgen.result()
    if variables is None:
        _refuse_bindgen(cargo, manifest, metadata, request, environment)
    cargo = Cargo(program, {**environment, **(variables or {})})

    locked, warnings = _locked(request, metadata.workspace_root)
    if request.again:
        names = sorted({program.package for program in request.programs})
        cargo.clean((*_profile(request), "--manifest-path", str(manifest)), names, cwd=metadata.workspace_root)
    built = cargo.build(
        (*options, *locked),
        cwd=metadata.workspace_root,
        default_features=request.default_features,
        progress=progress,
    )
    executables = []
    for wanted, name in chosen.items():
        executable = built.executables.get((metadata.package(wanted.package).id, name))
        if executable is None:
            raise BuildError(
                f"cargo built no binary {name!r} of package {wanted.package!r}",
                hint="does the target need features of its own (required-features)?",
            )
        executables.append(executable)
    keep = in_place if request.store is None else partial(store, root=request.store)
    with ThreadPoolExecutor() as hashing:
        binaries = dict(zip(chosen, hashing.map(keep, executables), strict=True))
    return BuildResult(
        binaries=MappingProxyType(binaries),
        features=request.features,
        workspace=metadata.workspace_root,
        seconds=time.monotonic() - started,
        rebuilt=built.rebuilt,
        warnings=(*warnings, *(warning for binary in binaries.values() for warning in binary.warnings)),
    )


def check_features(package: Package, features: tuple[str, ...]) -> None:
    """Raise BuildError, which lists the features that the package has, if it lacks one. `crate/feature` is cargo's."""
    missing = [name for name in features if name not in package.features and "/" not in name]
    if missing:
        quoted = ", ".join(repr(name) for name in missing)
        noun = "feature" if len(missing) == 1 else "features"
        known = ", ".join(sorted(package.features))
        raise BuildError(
            f"package {package.name!r} has no {noun} {quoted}",
            where=str(package.manifest_path),
            hint=f"it has {known}" if known else "it has no features at all",
        )


def command_options(request: BuildRequest, metadata: Metadata) -> tuple[str, ...]:
    """Return the options of `cargo build` that choose packages, features and profile.

    The connector alone is built by its own manifest; with other programs beside it, all are one build of the workspace,
    and `default_features: false` still concerns the connector only.
    """
    names = sorted({program.package for program in request.programs})
    if names == [CONNECTOR.package]:
        manifest = metadata.package(CONNECTOR.package).manifest_path
        packages: tuple[str, ...] = ()
        features = list(request.features)
    else:
        manifest = metadata.workspace_root / "Cargo.toml"
        packages = tuple(option for name in names for option in ("--package", name))
        features = [f"{CONNECTOR.package}/{name}" for name in request.features if CONNECTOR.package in names]
        if not request.default_features:
            others = (metadata.package(name) for name in names if name != CONNECTOR.package)
            features += [f"{package.name}/default" for package in others if "default" in package.features]
    return (
        *_profile(request),
        "--manifest-path",
        str(manifest),
        *packages,
        *(("--features", ",".join(features)) if features else ()),
        *(() if request.default_features else ("--no-default-features",)),
    )


def _profile(request: BuildRequest) -> tuple[str, ...]:
    return ("--release",) if request.profile == "release" else ("--profile", request.profile)


def _environment(request: BuildRequest, environ: Mapping[str, str]) -> dict[str, str]:
    environment = {**environ, **request.env}
    if request.rustflags:  # only then: other flags make cargo build a built tree again
        environment["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(request.rustflags)  # flags may hold spaces
    return environment


def _bindgen(environ: Mapping[str, str]) -> dict[str, str] | None:
    """Return the variables that bindgen needs to find a libclang, None if there is none."""
    if toolchain.system_libclang(environ):
        return {}
    if "LIBCLANG_PATH" not in environ and (library := toolchain.wheel_libclang()):
        return toolchain.wheel_environment(library, environ)
    return None


def _refuse_bindgen(
    cargo: Cargo, manifest: Path, metadata: Metadata, request: BuildRequest, environ: Mapping[str, str]
) -> None:
    """Raise BuildError if what is to be built needs bindgen, for which there is no libclang."""
    roots = frozenset(metadata.package(program.package).id for program in request.programs)
    if not cargo.metadata(manifest).depends_on(roots, "clang-sys"):
        return
    if "LIBCLANG_PATH" in environ:
        raise BuildError(
            "LIBCLANG_PATH names no libclang",
            hint=f"unset it, or let it name the folder of libclang.so; {toolchain.LIBCLANG_CURE}",
        )
    raise BuildError("libclang is missing: bindgen needs it to build iceoryx2", hint=toolchain.LIBCLANG_CURE)


def _locked(request: BuildRequest, root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if request.locked is None and not (root / "Cargo.lock").exists():
        return (), (f"{root} has no Cargo.lock: the versions of its dependencies were chosen now; keep the file",)
    return (() if request.locked is False else ("--locked",)), ()


def _binary(package: Package, wanted: str) -> str:
    names = package.binaries
    if wanted and wanted not in names:
        raise BuildError(
            f"package {package.name!r} has no binary {wanted!r}",
            where=str(package.manifest_path),
            hint=f"it has {', '.join(names)}" if names else "it has no binaries at all",
        )
    if wanted:
        return wanted
    if not names:
        raise BuildError(f"package {package.name!r} has no binary to run", where=str(package.manifest_path))
    if len(names) == 1:
        return names[0]
    for name in (package.default_run, package.name):
        if name in names:
            return name
    raise BuildError(f"package {package.name!r} has several binaries", hint=f"say which one: bin: {' | '.join(names)}")
