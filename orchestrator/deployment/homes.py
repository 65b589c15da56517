"""Where everything of ours lies on disk: a state directory that survives the boot, a runtime directory that need not.

Standard library only: the supervisor and `status` load this.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

HOME_VARIABLE: Final = "HFTSTACK_HOME"
SOCKET_PATH_BYTES: Final = 107
"""The longest path of a unix socket: sun_path has 108 bytes with its terminator (unix(7))."""

SUPERVISOR: Final = ".supervisor"
"""Folder of the supervisor's own log, among those of the units; no unit's name begins with '.'."""

_HALT: Final = "_halt.json"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Home:
    """The two directories, absolute; `uid` is the user they belong to."""

    state: Path
    runtime: Path
    uid: int

    @property
    def digest(self) -> str:
        """Return twelve hexadecimal digits that tell this home from another one of the same user."""
        import hashlib  # noqa: PLC0415 - costs 3 ms that `status` need not pay

        return hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]

    @property
    def sources(self) -> Path:
        """Folder of the checkouts of git sources; no stack can have its name."""
        return self.state / ".sources"

    @property
    def buckets(self) -> Path:
        """Folder of what all stacks may start for each exchange's host; no stack can have its name."""
        return self.runtime / ".buckets"

    @property
    def marker(self) -> str:
        """What the markers of all units of this home begin with."""
        return f"{self.uid}/{self.digest}/"

    @property
    def halt(self) -> Path:
        """Halts every stack while it exists; no stack's name begins with '_'."""
        return self.state / _HALT

    def prepare(self) -> None:
        """Create the state directory, for this user alone. Raises RefusedError as `StackHome.prepare`."""
        _make_private(self.state, self.uid)

    def stack(self, name: str) -> StackHome:
        """Return the home of a stack. Raises UsageError when `name` cannot be a stack's name."""
        if _NAME.fullmatch(name) is None:
            raise UsageError(
                f"{name!r} is not a stack's name",
                hint="at most 64 letters, digits, '_', '.' and '-', with a letter or digit first",
            )
        return StackHome(self, name)

    def stacks(self) -> tuple[str, ...]:
        """Return the names of the stacks that have a state directory, sorted."""
        try:
            with os.scandir(self.state) as entries:
                return tuple(sorted(e.name for e in entries if _NAME.fullmatch(e.name) and e.is_dir()))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise RefusedError(
                f"cannot look into the state directory: {error.strerror}", where=str(self.state)
            ) from None


@dataclass(frozen=True, slots=True)
class StackHome:
    """The files of one stack."""

    home: Home
    name: str

    @property
    def state(self) -> Path:
        """Survives the boot."""
        return self.home.state / self.name

    @property
    def runtime(self) -> Path:
        """Valid for this boot only."""
        return self.home.runtime / self.name

    @property
    def deployment(self) -> Path:
        """What is deployed."""
        return self.state / "deployment.json"

    @property
    def intent(self) -> Path:
        """What is wanted of each unit."""
        return self.state / "intent.json"

    @property
    def before(self) -> Path:
        """What a change that is under way is taken back to when it does not work out."""
        return self.state / "before.json"

    @property
    def halt(self) -> Path:
        """Halts this stack while it exists."""
        return self.state / _HALT

    @property
    def journal(self) -> Path:
        """History, an SQLite database."""
        return self.state / "journal.db"

    @property
    def logs(self) -> Path:
        """Folder of the output, with a folder for each unit and one for the supervisor."""
        return self.state / "logs"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor itself, and its guardian, have to say; kept as the log of a unit is."""
        return self.logs / SUPERVISOR / "00000001.log"

    @property
    def binaries(self) -> Path:
        """Folder of the binaries, as SHA256/NAME."""
        return self.state / "binaries"

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.runtime / "control.sock"

    @property
    def units(self) -> Path:
        """The processes of this boot."""
        return self.runtime / "units.json"

    @property
    def alive(self) -> Path:
        """Bears the time of a supervisor's last sign of life, over a reboot too."""
        return self.state / "alive"

    @property
    def lock(self) -> Path:
        """Held by the supervisor; not in the runtime directory, which a logout may remove while units run on."""
        return self.state / "lock"

    @property
    def guardian_lock(self) -> Path:
        """Held by the guardian, the supervisor's parent."""
        return self.state / "guardian.lock"

    @property
    def configs(self) -> Path:
        """Folder of the rendered configs, which may hold keys."""
        return self.runtime / "configs"

    @property
    def marker(self) -> str:
        """What the markers of this stack's units begin with."""
        return f"{self.home.marker}{self.name}/"

    def prepare(self) -> None:
        """Create the directories, for this user alone.

        Raises RefusedError when one belongs to somebody else, is a link in a folder that anybody may write to, or
        cannot be made, and when the control socket's path would be too long.
        """
        length = len(os.fsencode(self.socket))
        if length > SOCKET_PATH_BYTES:
            raise RefusedError(
                f"the control socket's path has {length} bytes, {SOCKET_PATH_BYTES} are possible",
                where=str(self.socket),
                hint=f"set {HOME_VARIABLE} to a folder with a shorter path, or give the stack a shorter name",
            )
        folders = (self.home.state, self.home.runtime, self.state, self.runtime)
        for folder in (*folders, self.logs, self.supervisor_log.parent, self.binaries, self.configs):
            _make_private(folder, self.home.uid)


def locate(environ: Mapping[str, str], uid: int | None = None) -> Home:
    """Return the home of the user `uid`, by default the one who runs this; nothing is created.

    $HFTSTACK_HOME moves both directories. Otherwise root has /var/lib/hftstack and /run/hftstack, everybody else
    $XDG_STATE_HOME/hftstack and $XDG_RUNTIME_DIR/hftstack, by default ~/.local/state/hftstack and /tmp/hftstack-UID.
    """
    uid = os.geteuid() if uid is None else uid
    if home := environ.get(HOME_VARIABLE):
        base = Path(os.path.abspath(home))  # noqa: PTH100 - `..` goes, links stay
        return Home(base / "state", base / "run", uid)
    if uid == 0:
        return Home(Path("/var/lib/hftstack"), Path("/run/hftstack"), uid)
    state = _absolute(environ.get("XDG_STATE_HOME")) or _user_folder(environ, uid) / ".local" / "state"
    runtime = _absolute(environ.get("XDG_RUNTIME_DIR"))
    return Home(
        state / "hftstack",
        runtime / "hftstack" if runtime else Path(f"/tmp/hftstack-{uid}"),  # noqa: S108 - prepare() checks its owner
        uid,
    )


def _absolute(value: str | None) -> Path | None:
    """Return the folder that a variable names; relative ones count as unset (XDG Base Directory Specification)."""
    return Path(value) if value and value.startswith("/") else None


def _user_folder(environ: Mapping[str, str], uid: int) -> Path:
    if folder := _absolute(environ.get("HOME")):
        return folder
    try:
        return Path(pwd.getpwuid(uid).pw_dir)
    except KeyError:
        raise RefusedError(
            f"user {uid} has no home folder", hint=f"set HOME, or {HOME_VARIABLE} to a folder for hftstack"
        ) from None


def _make_private(folder: Path, uid: int) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISLNK(found.st_mode) and not folder.parent.stat().st_mode & stat.S_IWOTH:
            found = folder.stat()
        if not stat.S_ISDIR(found.st_mode):
            raise _foreign(folder, "is not a folder of its own")
        if found.st_uid != uid:
            raise _foreign(folder, f"belongs to {_user_name(found.st_uid)}")
        if found.st_mode & _OTHERS:
            folder.chmod(0o700)
    except OSError as error:
        raise RefusedError(
            f"cannot make the folder: {error.strerror}",
            where=str(folder),
            hint=f"set {HOME_VARIABLE} to a folder that you may write to",
        ) from None


def _foreign(folder: Path, why: str) -> RefusedError:
    return RefusedError(
        f"this folder {why}; hftstack keeps keys there and will not use it",
        where=str(folder),
        hint=f"remove it, or set {HOME_VARIABLE} to a folder of yours",
    )


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
