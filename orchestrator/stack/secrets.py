"""What must hold between `secrets:` and the configs that refer to them; no secret is read."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from orchestrator.stack import pointer as json_pointer
from orchestrator.stack import templates
from orchestrator.stack.document import Finding, quote
from orchestrator.stack.parts import SECRET_SOURCES, Secret
from orchestrator.stack.scalars import is_name
from orchestrator.stack.templates import Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestrator.errors import Diagnostic
    from orchestrator.stack.draft import Configured, Draft

KEY: Final = "secrets"
_FORMS: Final = "{env: VARIABLE}, {file: PATH}, {command: [program, argument, ..]} or {credential: NAME}"


def check(draft: Draft) -> Iterator[Finding | Diagnostic]:
    """Yield what is wrong with secrets' sources, and with references to them."""
    declared = draft.data.get(KEY)
    secrets = declared if isinstance(declared, dict) else {}
    for name, source in secrets.items():
        if isinstance(source, dict):
            yield from _source(json_pointer.join((KEY, name)), source)
    used: set[str] = set()
    for configured in draft.configs.values():
        yield from _references(configured, secrets, used)
    for name in secrets:
        if name not in used and is_name(name):
            yield Finding(
                json_pointer.join((KEY, name)),
                f"no config refers to the secret {quote(name)}",
                f"write ${{secret:{name}}} in a config, or remove it",
                "secret-unused",
                on_key=True,
                severity="warning",
            )


def _source(pointer: str, source: dict[str, object]) -> Iterator[Finding]:
    given = [key for key in SECRET_SOURCES if key in source]
    if len(given) == 1 or (not given and source.keys() - Secret.model_fields.keys()):
        return  # of an unknown key its own message says enough
    what = f"a secret comes from one place, not {len(given)}" if given else "this says nothing of where it comes from"
    yield Finding(pointer, what, f"write one of {_FORMS}", "secret-source", on_key=True)


def _references(configured: Configured, secrets: Iterable[str], used: set[str]) -> Iterator[Finding | Diagnostic]:
    for parts, text in templates.texts(configured.table):
        if not isinstance(text, Template):
            if configured.file is not None:
                message, hint = "a ${secret:..} in this text is not understood", "write ${secret:NAME}"
                yield configured.located(parts, Finding("", message, hint, "interpolation-syntax"))
            continue
        used.update(text.names)
        for name in sorted(set(text.names).difference(secrets)):
            near = get_close_matches(name, secrets, 1)
            hint = f"did you mean {near[0]}?" if near else f"declare it under secrets: as one of {_FORMS}"
            message = f"there is no secret {quote(name)}"
            yield configured.located(parts, Finding("", message, hint, "secret-unknown"))
