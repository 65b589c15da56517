"""The tools that a build needs, where the stack needs a build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.build import git, workspace
from orchestrator.build import toolchain as tools
from orchestrator.doctor.finding import bad, ok, warning
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.doctor.finding import Case, Finding


def toolchain(case: Case) -> Iterator[Finding]:
    """Judge whether cargo, a C compiler, libclang and the sources are there."""
    request = case.build
    if request is None:
        return
    finders: tuple[Callable[[Mapping[str, str]], Path], ...] = (
        tools.cargo,
        tools.c_compiler,
        git.program
        if request.repository is not None
        else lambda environ: workspace.find(request.start, source=request.source, environ=environ),
    )
    found = []
    for find in finders:
        try:
            found.append(str(find(case.environ)))
        except BuildError as error:
            yield bad(error.message, error.hint or "", error.where)
    library = tools.system_libclang(case.environ) or tools.wheel_libclang()
    if library is None:
        yield warning("libclang is missing: the connector's dependencies may not build", tools.LIBCLANG_CURE)
    elif len(found) == len(finders):
        yield ok(f"{', '.join(found)}, {library}")
