"""Where secrets come from: a variable, a private file, a program's output, a credential of systemd's.

Nothing of a source's content or output is ever in a message.
"""

from __future__ import annotations

import io
import os
import selectors
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.resolve.commands import Commands
from orchestrator.resolve.error import ResolveError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.stack.parts import Secret

MOST_BYTES: Final = 64 << 10
CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd puts the credentials of a service; systemd.exec(5)."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_BEGIN, _END = "-----BEGIN ", "-----END "
_IN_FILE: Final = "put one line in it, or a private key in PEM"


def read(source: Secret, folder: Path, environ: Mapping[str, str], *, patience: float) -> str:
    """Return a secret: one line without its end, or a PEM block with it; nothing for an optional one that is not there.

    Args:
        source: says where it is.
        folder: where a program runs.
        environ: the caller's environment.
        patience: seconds that a program may take.

    Raises:
        ResolveError: it cannot be had, or is not what a secret may be.
    """
    if source.optional and not _is_there(source, environ):
        return ""
    if source.env is not None:
        return _text(_variable(source.env, environ), f"the variable {source.env}", "set it anew")
    if source.file is not None:
        return _text(_content(source.file, private=True), str(source.file), _IN_FILE)
    if source.credential is not None:
        path = _credential(source.credential, environ)
        return _text(_content(path, private=False), str(path), _IN_FILE)
    assert source.command is not None  # noqa: S101 - one of the four is set in a valid stack
    argv, _ = Commands(environ.get("PATH", "")).resolve(source.command, folder)
    return _text(_run(argv, folder, environ, patience), argv[0], "let it print one line, or a private key in PEM")


def look(source: Secret, folder: Path, environ: Mapping[str, str]) -> bool:
    """Tell whether there is a secret to read, False for an optional one that is not; nothing is read or run.

    Raises ResolveError for a source that `read` would refuse before it reads.
    """
    if source.optional and not _is_there(source, environ):
        return False
    if source.env is not None:
        _variable(source.env, environ)
    elif source.file is not None:
        _check(source.file, private=True)
    elif source.credential is not None:
        _check(_credential(source.credential, environ), private=False)
    elif source.command is not None:
        Commands(environ.get("PATH", "")).find(source.command[0], folder)
    return True


def _is_there(source: Secret, environ: Mapping[str, str]) -> bool:
    """Tell whether there is something to read, good or bad."""
    if source.env is not None:
        return bool(environ.get(source.env))
    path = source.file
    if source.credential is not None:
        path = Path(environ[CREDENTIALS], source.credential) if environ.get(CREDENTIALS) else Path()
    try:
        return path is None or path.is_symlink() or path.is_file() or (path != Path() and path.exists())
    except PermissionError:
        return True  # who reads it says what is in the way


def _variable(name: str, environ: Mapping[str, str]) -> bytes:
    value = environ.get(name)
    if not value:
        raise ResolveError(f"the variable {name} is not set", hint=f"set {name} for hftstack")
    return os.fsencode(value)


def _credential(name: str, environ: Mapping[str, str]) -> Path:
    folder = environ.get(CREDENTIALS)
    if not folder:
        raise ResolveError(
            f"{CREDENTIALS} is not set: systemd gave no credentials",
            hint=f"run `up --foreground` as a service with LoadCredential={name}:PATH",
        )
    return Path(folder, name)


def _text(content: bytes, what: str, hint: str) -> str:
    """Return one line, or one PEM block, without what ends a line at its end. Raises ResolveError."""
    if len(content) > MOST_BYTES:
        raise ResolveError(f"{what} gives more than {MOST_BYTES >> 10} KiB", hint=hint)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ResolveError(f"{what} does not give UTF-8 text", hint=hint) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise ResolveError(f"{what} gives nothing", hint=hint)
    if "\0" in text:
        raise ResolveError(f"{what} gives a NUL byte", hint=hint)
    lines = text.splitlines()
    if len(lines) > 1 and not _is_pem(lines):
        raise ResolveError(f"{what} gives {len(lines)} lines, not one", hint=hint)
    return f"{text}\n" if len(lines) > 1 else text


def _is_pem(lines: list[str]) -> bool:
    """Tell whether these are the lines of one PEM block (RFC 7468), whatever is in it."""
    inner = lines[1:-1]
    return (
        lines[0].startswith(_BEGIN)
        and lines[-1].startswith(_END)
        and not any(line.startswith((_BEGIN, _END)) for line in inner)
    )


def _content(path: Path, *, private: bool) -> bytes:
    """Return what a file holds; a `private` one must be the user's alone. Raises ResolveError."""
    with _opened(path) as file:
        _check_file(path, os.fstat(file.fileno()), private=private)
        return file.read(MOST_BYTES + 1)


def _check(path: Path, *, private: bool) -> None:
    with _opened(path) as file:
        _check_file(path, os.fstat(file.fileno()), private=private)


def _opened(path: Path) -> io.FileIO:
    try:
        # O_NONBLOCK: opening a named pipe must not wait for a writer.
        return io.FileIO(str(path), opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC))
    except IsADirectoryError:
        raise ResolveError(f"{path} is not a regular file", hint="name a file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise ResolveError(f"{path} cannot be read: {reason}", hint="check its path, owner and mode") from None


def _check_file(path: Path, found: os.stat_result, *, private: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ResolveError(f"{path} is not a regular file", hint="name a file")
    if private and found.st_mode & _OTHERS:
        raise ResolveError(
            f"{path} is open to others: its mode is {stat.S_IMODE(found.st_mode):04o}", hint=f"chmod 600 {path}"
        )
    if private and found.st_uid not in {0, os.geteuid()}:
        raise ResolveError(f"{path} belongs to another user, who can change it", hint="make it your own")


def _run(argv: tuple[str, ...], cwd: Path, environ: Mapping[str, str], patience: float) -> bytes:
    """Return what a program prints on stdout; what it says on stderr is nobody's to see. Raises ResolveError."""
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise ResolveError(f"cannot run {argv[0]}: {error.strerror}", hint="correct the command") from None
    try:
        output = _collect(process, time.monotonic() + patience)
        if output is None:
            raise ResolveError(
                f"{argv[0]} did not end within {patience:g} s, and was killed",
                hint="let it not ask anybody anything: it has no terminal",
            )
    finally:
        _end(process)
    if len(output) <= MOST_BYTES and process.returncode != 0:
        code = process.returncode
        how = f"exited with {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
        raise ResolveError(f"{argv[0]} {how}", hint="run it by hand: what it says is not shown here")
    return output


def _collect(process: subprocess.Popen[bytes], until: float) -> bytes | None:
    """Return the output up to its bound; None when the program, or its output, does not end in time."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    output = bytearray()
    pidfd = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while len(output) <= MOST_BYTES:
                if not selector.select(max(0.0, until - time.monotonic())):
                    return None
                chunk = os.read(process.stdout.fileno(), MOST_BYTES + 1)
                if not chunk:
                    break
                output += chunk
            else:
                return bytes(output)
        with selectors.DefaultSelector() as selector:
            selector.register(pidfd, selectors.EVENT_READ)
            if not selector.select(max(0.0, until - time.monotonic())):
                return None
    finally:
        os.close(pidfd)
    process.wait()
    return bytes(output)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and all of its group; the pipe with it."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
