"""Values of configs and environments as a plan shows them: what may hold a secret by a keyed digest."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.deployment import digestkey
from orchestrator.deployment.changes import Shown
from orchestrator.deployment.model import Kind
from orchestrator.stack.canonical import PUBLIC_ENV, is_plain_url
from orchestrator.stack.document import key_shown
from orchestrator.stack.interpolation import refers
from orchestrator.stack.model import SIM
from orchestrator.venue.models import PUBLIC

if TYPE_CHECKING:
    from orchestrator.deployment.model import Deployment

_SHOWN: Final = 8
_OUR_OWN: Final = frozenset({"PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"})

Read = Callable[[str], bytes | None]


def shown(key: bytes, read: Read, *deployments: Deployment | None, stand_ins: Collection[str] = ()) -> Shown:
    """Return how values of these deployments may be shown.

    Args:
        key: digests are made with it.
        read: returns the content of a config by its path, None where there is none.
        deployments: tell which config is whose.
        stand_ins: texts that stand in configs for secrets.
    """

    def hidden(text: str) -> str:
        return f"#{digestkey.digest(key, text.encode())[:_SHOWN]}"

    def variable(name: str, value: str) -> str:
        return value if name in PUBLIC_ENV or name in _OUR_OWN or refers(value) else hidden(value)

    open_ones = {
        file.path: file.sha256
        for deployment in deployments
        if deployment is not None
        for unit in deployment.units
        for place, file in enumerate(unit.files)
        # a simulator's own values are no secrets, and the second config is iceoryx2's
        if unit.type == SIM or place > 0 or (unit.kind is not Kind.CONNECTOR and Path(file.path).stem[:8] == "channel-")
    }
    return Shown(variable, hidden, _Tables(read, hidden, open_ones, frozenset(stand_ins)))


class _Tables(Mapping[str, Mapping[str, str]]):
    """Configs by path, read when somebody asks.

    `open_ones` are those whose values are no secrets, with their digests: one that is not of the content alone is a
    keyed one, of a config into which secrets were filled.
    """

    def __init__(
        self,
        read: Read,
        hidden: Callable[[str], str],
        open_ones: Mapping[str, str],
        stand_ins: frozenset[str],
    ) -> None:
        self._read = read
        self._hidden = hidden
        self._open = open_ones
        self._stand_ins = stand_ins
        self._known: dict[str, dict[str, str] | None] = {}

    def __getitem__(self, path: str) -> Mapping[str, str]:
        if path not in self._known:
            self._known[path] = self._table(path)
        table = self._known[path]
        if table is None:
            raise KeyError(path)
        return table

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _table(self, path: str) -> dict[str, str] | None:
        content = self._read(path)
        if content is None:
            return None
        try:
            table = tomllib.loads(content.decode())
        except ValueError:
            return None
        known = self._open.get(path)
        is_filled = known is not None and known != hashlib.sha256(content).hexdigest()
        return dict(self._shown(table, "", is_open=known is not None, is_filled=is_filled))

    def _name(self, key: str) -> str:
        """Return a key; one that is no word may be half a secret."""
        words = key_shown((key,))
        return words if words == key else f"{words}{self._hidden(key)}"

    def _shown(
        self, table: Mapping[str, object], above: str, *, is_open: bool, is_filled: bool
    ) -> Iterator[tuple[str, str]]:
        for name, value in table.items():
            place = f"{above}{self._name(name)}"
            if isinstance(value, dict):
                yield from self._shown(value, f"{place}.", is_open=is_open, is_filled=is_filled)
                continue
            text = json.dumps(value, ensure_ascii=False, default=str)
            if isinstance(value, str) and (refers(value) or value in self._stand_ins):
                yield place, str(value)
                continue
            if is_open:
                is_public = not is_filled or '"' not in text
            else:
                is_public = name in PUBLIC and ("://" not in text or is_plain_url(str(value)))
            yield place, "" if value == "" else text if is_public else self._hidden(text)
