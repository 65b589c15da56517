"""What `cargo metadata` says of a workspace: packages, features, binaries, the graph of dependencies."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrator.errors import BuildError


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Target(_Part):
    name: str
    kind: tuple[str, ...]


class Package(_Part):
    """A workspace member. `features` holds those that optional dependencies imply, too."""

    id: str
    name: str
    manifest_path: Path
    features: dict[str, tuple[str, ...]]
    targets: tuple[_Target, ...]
    default_run: str | None = None

    @property
    def binaries(self) -> tuple[str, ...]:
        """Names of the binary targets."""
        return tuple(target.name for target in self.targets if "bin" in target.kind)


class _Kind(_Part):
    kind: str | None


class _Edge(_Part):
    pkg: str
    dep_kinds: tuple[_Kind, ...]


class _Node(_Part):
    id: str
    deps: tuple[_Edge, ...]


class _Graph(_Part):
    nodes: tuple[_Node, ...]


class Metadata(_Part):
    """The answer of `cargo metadata --format-version 1`; `resolve` is null with `--no-deps`.

    Source: https://doc.rust-lang.org/cargo/commands/cargo-metadata.html
    """

    packages: tuple[Package, ...]
    workspace_root: Path
    resolve: _Graph | None = None

    def package(self, name: str) -> Package:
        """Return the workspace member of that name. Raises BuildError, which lists the members."""
        for package in self.packages:
            if package.name == name:
                return package
        names = ", ".join(sorted(package.name for package in self.packages))
        raise BuildError(
            f"the workspace {self.workspace_root} has no package {name!r}",
            hint=f"it has {names}" if names else "it has no packages at all",
        )

    def depends_on(self, roots: frozenset[str], name: str) -> bool:
        """Tell whether building the packages with the ids `roots` builds a package called `name`, too."""
        if self.resolve is None:
            return False
        edges = {node.id: node.deps for node in self.resolve.nodes}
        names = {package.id: package.name for package in self.packages}
        seen = set(roots)
        stack = list(roots)
        while stack:
            for edge in edges.get(stack.pop(), ()):
                if edge.pkg not in seen and any(kind.kind != "dev" for kind in edge.dep_kinds):
                    seen.add(edge.pkg)
                    stack.append(edge.pkg)
        return any(names.get(package) == name for package in seen)


def parse(text: str) -> Metadata:
    """Return the metadata that cargo printed. Raises BuildError when it is none."""
    try:
        return Metadata.model_validate_json(text)
    except ValidationError as error:
        raise BuildError(
            f"`cargo metadata` answered in an unknown form ({error.error_count()} mismatches)",
            hint="update Rust: rustup update stable",
        ) from None
