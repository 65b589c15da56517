"""Which stack file a command means: by path, by the stack's name, or the only one in ./stacks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.observe import selection

if TYPE_CHECKING:
    from orchestrator.deployment.homes import Home

VARIABLE: Final = "HFTSTACK_STACK"
"""Names the stack, or its file, that is meant when the command line names none."""

FOLDER: Final = "stacks"

_SUFFIXES: Final = (".yaml", ".yml")
_NOT_STACKS: Final = (".", "_")


def nearby(folder: Path) -> tuple[Path, ...]:
    """Return the stack files in `folder`/stacks, sorted; a name with a leading `_` or `.` is that of no stack.

    Such a file is a base for `extends`.
    """
    try:
        found = sorted((folder / FOLDER).iterdir())
    except OSError:
        return ()
    return tuple(
        path for path in found if path.suffix in _SUFFIXES and not path.name.startswith(_NOT_STACKS) and path.is_file()
    )


def choose(home: Home, wanted: str | None, folder: Path) -> Path:
    """Return the file of the stack that `wanted` names, by path or by name; None means the only one near.

    Args:
        home: knows the files of the stacks that were started.
        wanted: what the user wrote; a path is relative to the working directory, and need not exist.
        folder: has the folder `stacks`.

    Raises:
        UsageError: there is no such stack, or several files could be meant.
    """
    if wanted is None:
        return _only(nearby(folder), "none is named")
    path = Path(wanted)
    if selection.is_path(wanted) or wanted in {".", ".."} or os.path.isfile(path):  # noqa: PTH113 - not raised for a name too long
        return path
    named = [near for near in nearby(folder) if near.stem == wanted]
    if deployed := selection.deployed_file(home.stack(wanted)):
        same = any(near.absolute() == Path(deployed) for near in named)
        named += [] if same or not Path(deployed).is_file() else [Path(deployed)]
    if not named and os.path.exists(path):  # noqa: PTH110 - likewise
        return path
    if not named:
        known = [str(near) for near in nearby(folder)]
        hint = f"there is {', '.join(known)}" if known else "give the path of its file"
        raise UsageError(f"there is no stack {wanted}: no {FOLDER}/{wanted}.yaml, and none was started here", hint=hint)
    return _only(named, f"{wanted} could be any of them")


def _only(files: tuple[Path, ...] | list[Path], why: str) -> Path:
    if len(files) == 1:
        return files[0]
    if not files:
        raise UsageError(
            f"which stack file? {why}, and there is none in ./{FOLDER}",
            hint=f"name it on the command line, or in {VARIABLE}; hftstack init writes a first one",
        )
    raise UsageError(
        f"which stack file? {why}: {', '.join(map(str, files))}", hint=f"name one on the command line, or in {VARIABLE}"
    )
