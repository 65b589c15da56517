"""Who deletes old files of /tmp: iceoryx2's lie there for as long as a connector lives, and are never touched."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.doctor.finding import ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.doctor.finding import Case, Finding, Host

_FOLDERS: Final = ("usr/lib/tmpfiles.d", "run/tmpfiles.d", "etc/tmpfiles.d")
"""A file in a later one replaces that of the same name in an earlier one (tmpfiles.d(5))."""

_CLEANED: Final = frozenset("dDevqQC")
_IGNORED: Final = frozenset("xX")
_AGE: Final = 5
_OTHERS: Final = ("etc/cron.daily/tmpreaper", "etc/cron.daily/tmpwatch")


class _Rule(NamedTuple):
    kind: str
    path: str
    age: str
    file: str


def cleaners(case: Case) -> Iterator[Finding]:
    """Judge whether the files of the channels, and ours in /tmp, may be deleted for their age."""
    places = {spec.channel.root for spec in case.deployment.units if spec.channel is not None}
    if not case.deployment.units:
        places.add("/tmp/iceoryx2")  # noqa: S108 - iceoryx2's default
    if case.home is not None and case.home.runtime.parent.parent == Path("/tmp"):  # noqa: S108 - without a runtime dir
        places.add(str(case.home.runtime.parent))
    rules = _rules(case.host) if case.host.has_systemd else []
    others = [name for name in _OTHERS if (case.host.root / name).exists()]
    for place in sorted(places):
        rule = _cleaning(place, rules)
        if rule is not None:
            yield warning(
                f"systemd-tmpfiles deletes what is in {place} after {rule.age} ({rule.file})",
                f"echo 'x {place}' > /etc/tmpfiles.d/hftstack-{Path(place).name}.conf",
            )
        elif others and place.startswith("/tmp/"):  # noqa: S108 - what they clean
            yield warning(f"/{others[0]} may delete what is in {place}", f"have it leave {place} alone")
        else:
            yield ok(f"nobody deletes {place} for its age")


def _rules(host: Host) -> list[_Rule]:
    files = {file.name: file for folder in _FOLDERS for file in host.files(f"{folder}/*.conf")}
    found = []
    for name in sorted(files):
        path = str(files[name].relative_to(host.root))
        for line in (host.text(path) or "").splitlines():
            fields = line.split()
            if len(fields) > 1 and not line.startswith("#"):
                age = fields[_AGE] if len(fields) > _AGE else "-"
                found.append(_Rule(fields[0], fields[1].strip('"'), age, f"/{path}"))
    return found


def _cleaning(place: str, rules: list[_Rule]) -> _Rule | None:
    """Return the rule by which what is in a place is deleted; the nearest folder's counts."""
    above = [place, *(str(folder) for folder in Path(place).parents)]
    if any(rule.kind[0] in _IGNORED and any(fnmatchcase(path, rule.path) for path in above) for rule in rules):
        return None
    for path in above:
        for rule in rules:
            if rule.kind[0] in _CLEANED and os.path.normpath(rule.path) == path:
                return rule if rule.age.strip("~") not in {"-", ""} else None
    return None
