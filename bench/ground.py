"""Where a bench runs: folders of its own, iceoryx2 of its own, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Self

from orchestrator.supervise import process
from orchestrator.supervise.family import children
from tests.isolation import iceoryx2_home, remove_shared_memory

if TYPE_CHECKING:
    from types import FrameType, TracebackType

NOBODY: Final = 65534
"""The ordinary user that root becomes to measure as one."""

_INSIDE: Final = "HFTSTACK_BENCH_NAMESPACE"
_ROOT: Final = Path("/tmp/iceoryx2")  # noqa: S108 - iceoryx2's default, here a file system of our own
_SHARED: Final = Path("/dev/shm")  # noqa: S108 - likewise


def seclude(module: str) -> None:
    """As root, go on in a mount namespace of our own with fresh /dev/shm and /tmp/iceoryx2; otherwise do nothing."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return
    if _INSIDE not in os.environ:
        command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", module, *sys.argv[1:]]
        os.execvpe(command[0], command, {**os.environ, _INSIDE: "1"})  # noqa: S606 - becomes it
    _ROOT.mkdir(exist_ok=True)
    mount = shutil.which("mount") or "/bin/mount"
    for folder in (_ROOT, _SHARED):
        subprocess.run([mount, "-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(folder)], check=True)


class Ground:
    """A folder with a short path, for sockets lie in it. Leaving it ends every process that was started from here."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="hb-", dir="/tmp"))
        self.path.chmod(0o755)
        self.secluded = _INSIDE in os.environ

    def __enter__(self) -> Self:
        process.become_subreaper()
        signal.signal(signal.SIGTERM, _leave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sweep()
        for folder in self.path.glob("*/config"):
            remove_shared_memory(folder.parent)
        shutil.rmtree(self.path, ignore_errors=True)

    def folder(self, name: str, owner: int | None = None) -> Path:
        """Make a folder in which connectors and bots find an iceoryx2 of their own."""
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True)
        if not self.secluded:
            iceoryx2_home(folder)
        if owner is not None:
            give(folder, owner)
        return folder

    def clean_channels(self, folder: Path) -> None:
        """Delete all that iceoryx2 left behind for programs of this folder; none of them may run."""
        if not self.secluded:
            remove_shared_memory(folder)
            shutil.rmtree(folder / "iox", ignore_errors=True)
            return
        for remains in (*_ROOT.iterdir(), *_SHARED.iterdir()):
            if remains.is_dir():
                shutil.rmtree(remains)
            else:
                remains.unlink()


def give(folder: Path, owner: int) -> None:
    """Make a folder and all in it another user's."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, owner)


def sweep() -> None:
    """End every descendant, those included that were detached: as the subreaper we are handed them all."""
    while pids := children():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def reap() -> None:
    """Bury what ended and was handed to us; children that run are left alone."""
    for pid in children():
        if process.identity(pid) is None:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
