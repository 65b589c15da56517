"""What a logout does: logind removes a user's shared memory, and the runtime directory with it."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.doctor.finding import bad, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.doctor.finding import Case, Finding, Host

_FIRST_USER: Final = 1000
"""System users are left alone (logind.conf(5), RemoveIPC=)."""

_FOLDERS: Final = ("usr/lib/systemd", "usr/local/lib/systemd", "run/systemd", "etc/systemd")
"""Where logind's configuration lies; what comes later overrides (logind.conf.d(5))."""


def logout(case: Case) -> Iterator[Finding]:
    """Judge whether the channels would survive this user's logout."""
    uid = os.geteuid()
    with suppress(KeyError):
        yield from judge(case.host, uid, pwd.getpwuid(uid).pw_name)


def judge(host: Host, uid: int, user: str) -> Iterator[Finding]:
    """Judge whether the channels of a user would survive a logout."""
    if not host.has_systemd or uid < _FIRST_USER:
        return
    if (host.root / "var/lib/systemd/linger" / user).exists():
        yield ok(f"{user} lingers: a logout leaves the channels alone")
    elif not removes_ipc(host):
        yield ok("a logout leaves the channels alone: RemoveIPC=no")
    else:
        yield bad(
            f"when {user} logs out, logind deletes the shared memory of every channel (RemoveIPC)",
            f"loginctl enable-linger {user}; or `up --until-logout`",
        )


def removes_ipc(host: Host) -> bool:
    """Tell whether logind removes a user's shared memory with the last session; it does unless told otherwise."""
    files = [host.root / folder / "logind.conf" for folder in reversed(_FOLDERS)]
    main = next((file for file in files if file.is_file()), None)
    extra = {file.name: file for folder in _FOLDERS for file in host.files(f"{folder}/logind.conf.d/*.conf")}
    found = True
    for file in ([main] if main else []) + [extra[name] for name in sorted(extra)]:
        for line in (host.text(str(file.relative_to(host.root))) or "").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "RemoveIPC":
                found = value.strip().lower() in {"yes", "true", "on", "1"}
    return found
