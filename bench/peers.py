"""The other supervisors, each started with its usual settings on the same programs."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import venv
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from bench.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PINNED: Final = ("supervisor==4.3.0", "circus==0.19.0")
_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hftstack-bench"


class Peer(ABC):
    """A supervisor of programs, which are executable files by name; all that it writes lies in `folder`."""

    name: ClassVar[str]
    executable: ClassVar[str]
    install: ClassVar[str]

    def __init__(self, folder: Path, programs: Mapping[str, Path]) -> None:
        """Prepare; nothing is started yet."""
        self.folder = folder
        self.programs = programs
        self._prepared: Sequence[Sequence[str]] = ()
        self._processes: list[subprocess.Popen[bytes]] = []

    def prepare(self) -> None:
        """Write what the supervisor reads."""
        self.folder.mkdir(parents=True)
        self._prepared = self.commands()

    def start(self) -> list[int]:
        """Start the supervisor, which starts the programs at once; returns the pids of its processes."""
        if not self._prepared:
            self.prepare()
        for command in self._prepared:
            with (self.folder / "supervisor.log").open("ab") as log:
                self._processes.append(
                    subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                )
        return [process.pid for process in self._processes]

    def stop(self) -> None:
        """End the supervisor; its programs are left to be ended by the caller, who is the subreaper."""
        for process in self._processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
        self._processes.clear()

    @abstractmethod
    def commands(self) -> Sequence[Sequence[str]]:
        """Write the configuration and return what to start."""

    @classmethod
    def path(cls) -> str | None:
        """Return the executable, None where it is not installed."""
        return shutil.which(cls.executable, path=os.environ.get("PATH", os.defpath) + ":/sbin:/usr/sbin")

    def _executable(self) -> str:
        path = self.path()
        assert path is not None
        return path


class _Runscripts(Peer):
    def commands(self) -> Sequence[Sequence[str]]:
        """Return a supervisor a program, on a folder whose `run` is the program."""
        commands = []
        for name, program in self.programs.items():
            service = self.folder / name
            service.mkdir()
            (service / "run").symlink_to(program)
            commands.append((self._executable(), str(service)))
        return commands


class Runit(_Runscripts):
    """runit: a runsv a program."""

    name = "runit"
    executable = "runsv"
    install = "apt-get install runit"


class S6(_Runscripts):
    """s6: an s6-supervise a program."""

    name = "s6"
    executable = "s6-supervise"
    install = "apt-get install s6"


class _Folder(_Runscripts):
    def commands(self) -> Sequence[Sequence[str]]:
        """Return one supervisor of all, on the folder that has a folder for each program."""
        super().commands()
        return [(self._executable(), str(self.folder))]


class Runsvdir(_Folder):
    """runit: a runsvdir, which starts a runsv a program."""

    name = "runit, runsvdir"
    executable = "runsvdir"
    install = Runit.install


class S6Svscan(_Folder):
    """s6: an s6-svscan, which starts an s6-supervise a program."""

    name = "s6, s6-svscan"
    executable = "s6-svscan"
    install = S6.install


class Dinit(Peer):
    """dinit, without its limit of restarts and its delay between them."""

    name = "dinit"
    executable = "dinit"
    install = "put `dinit` on PATH"

    def commands(self) -> Sequence[Sequence[str]]:
        """Return one dinit on a folder of services."""
        services = self.folder / "services"
        services.mkdir()
        for name, program in self.programs.items():
            lines = (
                "type = process",
                f"command = {program}",
                "restart = true",
                "restart-delay = 0",
                "restart-limit-count = 0",
            )
            (services / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        options = ("--user", "--services-dir", str(services), "--socket-path", str(self.folder / "socket"), "--quiet")
        return [(self._executable(), *options, *self.programs)]


class _FromPyPI(Peer):
    install = "needs the network once, for pip"

    @classmethod
    def path(cls) -> str | None:
        """Return the executable in a virtual environment of the peers' own, made when it is not there yet."""
        executable = _CACHE / "peers/bin" / cls.executable
        if not executable.is_file():
            try:
                _install()
            except (OSError, subprocess.CalledProcessError):
                return None
        return str(executable)


def _install() -> None:
    print(f"installing {', '.join(_PINNED)} in {_CACHE}/peers", file=sys.stderr)
    venv.create(_CACHE / "peers", with_pip=True, clear=True)
    subprocess.run(
        [str(_CACHE / "peers/bin/pip"), "install", "--quiet", "--disable-pip-version-check", *_PINNED],
        check=True,
        stdout=sys.stderr,
    )


class Supervisord(_FromPyPI):
    """supervisord."""

    name = "supervisord"
    executable = "supervisord"

    def commands(self) -> Sequence[Sequence[str]]:
        """Return one supervisord with its control socket."""
        socket = self.folder / "socket"
        lines = [
            "[supervisord]",
            "nodaemon = true",
            f"logfile = {self.folder / 'log'}",
            f"pidfile = {self.folder / 'pid'}",
            "[unix_http_server]",
            f"file = {socket}",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
            "[supervisorctl]",
            f"serverurl = unix://{socket}",
        ]
        for name, program in self.programs.items():
            lines += [f"[program:{name}]", f"command = {shlex.quote(str(program))}", "autorestart = true"]
        self.configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [(self._executable(), "-c", str(self.configuration))]

    @property
    def configuration(self) -> Path:
        """Return the configuration, for supervisorctl too."""
        return self.folder / "supervisord.conf"

    def control(self) -> tuple[str, ...]:
        """Return the command `supervisorctl` once it is answered."""
        command = (str(Path(self._executable()).with_name("supervisorctl")), "-c", str(self.configuration))
        until("supervisord", (self.folder / "socket").exists, 20.0)
        return command


class Circus(_FromPyPI):
    """circus, which looks for dead processes every 0.1 s; by default it does every 5 s."""

    name = "circus, check_delay 0.1"
    executable = "circusd"

    def commands(self) -> Sequence[Sequence[str]]:
        """Return one circusd."""
        lines = ["[circus]", "check_delay = 0.1", "statsd = False"]
        endpoints = ("endpoint", "pubsub_endpoint", "stats_endpoint")
        lines += [f"{name} = ipc://{self.folder / name}" for name in endpoints]
        for name, program in self.programs.items():
            lines += [f"[watcher:{name}]", f"cmd = {shlex.quote(str(program))}", "copy_env = True"]
        configuration = self.folder / "circus.ini"
        configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [(self._executable(), str(configuration))]


PEERS: Final[tuple[type[Peer], ...]] = (Dinit, Runit, S6, Supervisord, Circus)


def available(wanted: Sequence[type[Peer]]) -> tuple[list[type[Peer]], list[str]]:
    """Return the peers that are installed, and for each other one a line that says how to install it."""
    found = [peer for peer in wanted if peer.path() is not None]
    missing = [f"{peer.name} is not measured: {peer.install}" for peer in wanted if peer not in found]
    return found, missing
