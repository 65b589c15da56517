"""The life of one connector: build, start, wait until its channel is open, stop."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from orchestrator.errors import RefusedError
from orchestrator.runner import configfile
from orchestrator.runner.channel import Channel
from orchestrator.runner.errors import (
    ConnectorHaltedError,
    ConnectorNotFoundError,
    ConnectorRunnerError,
    ConnectorStartupError,
)
from orchestrator.runner.output import Output
from orchestrator.runner.program import Program
from orchestrator.supervise.policy import REPAIR_AT, TRANSIENT_DELAYS, TRANSIENT_LIFE

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path
    from types import TracebackType

    from orchestrator.channel import Reading
    from orchestrator.runner.child import Child
    from orchestrator.runner.config import ConnectorConfig

_CLOSE: Final = 0.005
"""Seconds between two looks at the channel."""

_log: Final = logging.getLogger("orchestrator.runner")


class ConnectorRunner:
    """Runs one connector as a child of this process; `with` builds, starts, waits until it is ready, and stops it.

    Every method may be called from any thread. A connector that still runs when the interpreter exits is stopped then;
    one whose Python was killed runs on, and the next start is refused with its pid.
    """

    def __init__(self, config: ConnectorConfig) -> None:
        """Look at the config file; nothing is started. Raises ConnectorRunnerError for a file that is no good."""
        self._config = config
        self._secrets = configfile.check(config)
        self._program = Program(config)
        self._lock = threading.RLock()
        self._ending = threading.RLock()
        self._halted = threading.Event()
        self._channel: Channel | None = None
        self._child: Child | None = None
        self._output: Output | None = None
        self._pid = 0

    @property
    def config(self) -> ConnectorConfig:
        """What it was made with."""
        return self._config

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The connector's process, ended or not; None before the first start. A retried start changes it."""
        return None if self._child is None else self._child.process

    @property
    def project_root(self) -> Path | None:
        """The hftbacktest checkout.

        What the config names, else the nearest one above the config file or above the working directory (a Cargo.toml
        with `[workspace]`, or a connector/Cargo.toml), else $HFTBACKTEST_ROOT; None when there is none.
        """
        return self._program.root

    @property
    def binary_path(self) -> Path | None:
        """The program that is started; None when nothing says where it could be."""
        return self._program.path

    def binary_exists(self) -> bool:
        """Tell whether there is a program to start, up to date or not."""
        return self._program.exists()

    def build(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 - the documented signature
        """Build the connector with cargo, which alone judges what is out of date.

        `force` compiles the connector although nothing has changed. Raises ConnectorBuildError.
        """
        self._program.build(force=force)

    def build_if_missing(self) -> None:
        """Bring the program up to date where its source is at hand and `auto_build` is on; else see that it is there.

        Raises ConnectorBuildError, ConnectorNotFoundError.
        """
        if self._config.auto_build and self._program.is_ours_to_build():
            self._program.build(force=False)
        self._program.require()

    def start(self) -> None:
        """Start the process, in the present working directory, whose iceoryx2 configuration counts.

        Raises:
            ConnectorRunnerError: it runs already, or its config file is no good.
            ConnectorNotFoundError: there is no program.
            ConnectorHaltedError: this user halted everything (`hftstack halt`).
            ConnectorStartupError: another living process holds the channel, or the system starts no process.
        """
        self._refuse_halted()
        with self._lock:
            if self._child is not None and not self._child.ended:
                raise ConnectorRunnerError(
                    f"it runs already, as pid {self._child.pid}",
                    where=self._config.connector_name,
                    hint="stop it first",
                )
            self._secrets = configfile.check(self._config)
            self._program.require()
            self._channel = Channel(self._config.connector_name)
            self._channel.refuse_others()
            self._output = self._new_output()
            self._halted.clear()
            self._pid = os.getpid()
            atexit.register(self._at_exit)
            self._spawn()

    def wait_for_ready(self, timeout: float | None = None) -> bool:
        """Return True once the channel is open at both ends and owned by this very process.

        A start that dies in its first second, while iceoryx2 still cleans up after an earlier one, is tried again after
        0, 100, 200 and 400 ms; `process` changes then.

        Args:
            timeout: seconds to wait; None is the config's `startup_timeout`.

        Returns:
            True; False when `stop` was called meanwhile.

        Raises:
            ConnectorStartupError: it was not started, it died, or its channel is not open in time: then it runs on.
        """
        seconds = self._config.startup_timeout if timeout is None else timeout
        until = time.monotonic() + seconds
        name = self._config.connector_name
        retries, seen = 0, False
        while True:
            child, channel = self._child, self._channel
            if child is None or channel is None:
                raise ConnectorStartupError("it was not started", where=name, hint="start() it")
            ended = child.ended
            if self._halted.is_set():
                return False
            if ended:
                young = not seen or time.monotonic() - child.begun <= TRANSIENT_LIFE
                if not young or not self._try_again(child, channel, retries, until):
                    raise self._died(child, retries)
                retries, seen = retries + 1, False
                continue
            seen = True
            reading = channel.look(child.pid)
            if channel.is_open(reading, child.pid):
                child.lived = True
                return True
            if time.monotonic() >= until:
                raise self._late(seconds, reading)
            child.wait(min(_CLOSE, until - time.monotonic()))

    def is_running(self) -> bool:
        """Tell whether the process runs; whether its channel is open is another question."""
        child = self._child
        return child is not None and not child.ended

    def stop(self, timeout: float | None = None) -> None:
        """Stop the process: its main loop is made receptive, then SIGTERM every 50 ms until it is gone, then SIGKILL.

        Nothing happens when it does not run. Orders at the exchange are not cancelled.

        Args:
            timeout: seconds before SIGKILL; None is the config's `shutdown_timeout`.

        Raises:
            ConnectorRunnerError: it outlives SIGKILL, which a process in the kernel does.
        """
        with self._lock:
            self._halted.set()
            child, channel = self._child, self._channel
        if child is None or channel is None:
            return
        name = self._config.connector_name
        with self._ending:
            if not child.ended:
                grace = self._config.shutdown_timeout if timeout is None else timeout
                try:
                    if not child.end(grace, channel.location):
                        _log.warning("%s: it did not end within %g s and was killed", name, grace)
                except TimeoutError:
                    raise ConnectorRunnerError(
                        f"pid {child.pid} outlives SIGKILL: it is in the kernel", where=name
                    ) from None
                channel.tidy()
        atexit.unregister(self._at_exit)

    def get_output(self) -> tuple[str, str]:
        """Return what was written to standard output and standard error since the start, its tries together.

        Works while it runs and after `stop`, until the next start. The keys of its config file are hidden. Empty before
        a start, and with `capture_output=False`.
        """
        output = self._output
        if output is None:
            return "", ""
        stdout, stderr = output.texts()
        return self._secrets.hide(stdout), self._secrets.hide(stderr)

    def __enter__(self) -> Self:
        self.build_if_missing()
        self.start()
        try:
            ready = self.wait_for_ready()
        except BaseException:
            self.stop()
            raise
        if not ready:
            raise ConnectorStartupError("it was stopped while it started", where=self._config.connector_name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _refuse_halted(self) -> None:
        from orchestrator.deployment.homes import locate  # noqa: PLC0415 - what an import alone need not pay
        from orchestrator.supervise import halt  # noqa: PLC0415

        with suppress(RefusedError):  # without a home there is no latch
            found = halt.read(locate(os.environ))
            if found is not None:
                hint = "hftstack resume --reason TEXT releases it"
                raise ConnectorHaltedError(f"it may not run: {found}", where=self._config.connector_name, hint=hint)

    def _new_output(self) -> Output | None:
        if not self._config.capture_output:
            return None
        try:
            return Output()
        except OSError as error:
            raise ConnectorStartupError(
                f"its output cannot be kept: {error.strerror}",
                where=str(error.filename or self._config.connector_name),
                hint="make room there, set TMPDIR, or capture_output=False",
            ) from None

    def _spawn(self) -> None:
        from orchestrator.runner.child import Child  # noqa: PLC0415 - what an import alone need not pay

        command = self._program.command()
        try:
            self._child = Child(command, {**os.environ, **self._config.env}, self._output)
        except OSError as error:
            kind = ConnectorNotFoundError if isinstance(error, FileNotFoundError) else ConnectorStartupError
            raise kind(f"it cannot be started: {error.strerror}", where=command[0]) from None

    def _try_again(self, child: Child, channel: Channel, retries: int, until: float) -> bool:
        """Start it again if it died of iceoryx2's clean-up; tell whether there is something new to look at."""
        delay = TRANSIENT_DELAYS[retries] if retries < len(TRANSIENT_DELAYS) else None
        if child.lived or delay is None or time.monotonic() + delay >= until:
            return False
        self._halted.wait(delay)
        self._refuse_halted()
        if retries >= REPAIR_AT:
            channel.repair()
        with self._lock:
            if not self._halted.is_set() and self._child is child:
                _log.info(
                    "%s: retry %d, the channel was still being cleaned up", self._config.connector_name, retries + 1
                )
                channel.refuse_others()
                self._spawn()
        return True

    def _died(self, child: Child, retries: int) -> ConnectorStartupError:
        from orchestrator.runner import failure  # noqa: PLC0415 - for a failure only

        name, code = self._config.connector_name, child.process.returncode
        return failure.died(name, code, self._last_words(), retries=retries, lived=child.lived)

    def _late(self, seconds: float, reading: Reading) -> ConnectorStartupError:
        from orchestrator.runner import failure  # noqa: PLC0415 - for a failure only

        return failure.late(self._config.connector_name, seconds, reading, self._last_words())

    def _last_words(self) -> str:
        output = self._output
        return "" if output is None else output.last_words(self._secrets.hide)

    def _at_exit(self) -> None:
        if os.getpid() == self._pid:  # a fork of this process has no say
            self.stop()
