"""Cargo as a child: its command lines, its messages, its progress."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ValidationError

from orchestrator.build import child
from orchestrator.build.diagnosis import diagnose
from orchestrator.build.metadata import Metadata, parse
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Progress:
    """How far cargo is: `done` of `total` units of work, as cargo counts them; 0 of 0 while it does not know."""

    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True)
class Cargo:
    """Cargo with an environment. `environ` is the whole of it, `build.env` and libclang's variables included."""

    program: Path
    environ: Mapping[str, str]

    def metadata(self, manifest: Path, *options: str) -> Metadata:
        """Return what cargo knows of a workspace. Raises BuildError."""
        answer: list[str] = []
        words: list[str] = []
        argv = ["metadata", "--color", "never", "--format-version", "1", "--manifest-path", str(manifest), *options]
        code = self._run(argv, cwd=manifest.parent, stdout=answer.append, stderr=words.append)
        if code != 0:
            raise _failure("cargo cannot read the workspace", words)
        return parse("\n".join(answer))

    def build(
        self, options: tuple[str, ...], *, cwd: Path, default_features: bool, progress: Callable[[Progress], None]
    ) -> Built:
        """Run `cargo build` with `options` in `cwd`. Raises BuildError with the compiler's errors in full."""
        started = time.monotonic()
        messages = _Messages()
        meter = _Meter(progress)
        argv = ["build", "--color", "never", "--message-format", "json", *options]
        code = self._run(argv, cwd=cwd, stdout=messages.feed, stderr=meter.feed)
        if code != 0:
            raise _failure("cargo build failed", meter.words, messages, default_features=default_features)
        meter.finish(messages.artifacts, rebuilt=messages.rebuilt)
        return Built(executables=messages.executables, rebuilt=messages.rebuilt, seconds=time.monotonic() - started)

    def clean(self, options: tuple[str, ...], packages: Sequence[str], *, cwd: Path) -> None:
        """Forget what was compiled of these packages. Raises BuildError."""
        words: list[str] = []
        chosen = [word for name in packages for word in ("--package", name)]
        argv = ["clean", "--color", "never", *options, *chosen]
        if self._run(argv, cwd=cwd, stdout=words.append, stderr=words.append) != 0:
            raise _failure("cargo clean failed", words)

    def _run(
        self, arguments: list[str], *, cwd: Path, stdout: Callable[[str], None], stderr: Callable[[str], None]
    ) -> int:
        return child.run(
            [self.program, *arguments], cwd=cwd, env={**self.environ, **_TERMINAL}, stdout=stdout, stderr=stderr
        )


_TERMINAL: Final = {
    "CARGO_TERM_PROGRESS_WHEN": "always",
    "CARGO_TERM_PROGRESS_WIDTH": "160",
    "CARGO_TERM_QUIET": "false",
}
"""Cargo's progress bar is the only place where it says how many units a build has."""


@dataclass(frozen=True, slots=True)
class Built:
    """What one `cargo build` left: executables by package id and binary name."""

    executables: Mapping[tuple[str, str], Path]
    rebuilt: bool
    seconds: float


class _Code(BaseModel):
    code: str


class _Diagnostic(BaseModel):
    level: str
    rendered: str | None = None
    code: _Code | None = None


class _Target(BaseModel):
    name: str
    kind: tuple[str, ...]


class _Message(BaseModel):
    """A line of `--message-format json`: https://doc.rust-lang.org/cargo/reference/external-tools.html."""

    reason: str
    package_id: str = ""
    target: _Target | None = None
    executable: Path | None = None
    fresh: bool = True
    message: _Diagnostic | None = None


@dataclass(slots=True)
class _Messages:
    executables: dict[tuple[str, str], Path] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    artifacts: int = 0
    rebuilt: bool = False

    def feed(self, line: str) -> None:
        if not line.startswith("{"):
            return
        try:
            message = _Message.model_validate_json(line)
        except ValidationError:
            return
        if message.reason == "compiler-artifact":
            self.artifacts += 1
            self.rebuilt |= not message.fresh
            if message.executable and message.target and "bin" in message.target.kind:
                self.executables[message.package_id, message.target.name] = message.executable
        elif message.message and message.message.level.startswith("error"):
            self.errors.append(message.message.rendered or "")
            if message.message.code:
                self.codes.add(message.message.code.code)


_STATUS: Final = re.compile(r"(?=.{12} ) *(?P<verb>[A-Z][a-z]+) (?P<rest>.*)")
_BAR: Final = re.compile(r"\[[=> -]*\] (?P<done>\d+)/(?P<total>\d+)(?:: (?P<what>.*))?")


@dataclass(slots=True)
class _Meter:
    """Reads cargo's standard error: progress, status, and the words that are left, which explain a failure."""

    report: Callable[[Progress], None]
    words: list[str] = field(default_factory=list)
    last: Progress = Progress(0, 0, "")

    def feed(self, line: str) -> None:
        status = _STATUS.fullmatch(line)
        if status is None:
            if line.strip():
                self.words.append(line.rstrip())
            return
        bar = _BAR.match(status["rest"])
        if status["verb"] == "Building" and bar:
            self._say(Progress(int(bar["done"]), int(bar["total"]), (bar["what"] or "").strip()))
        elif status["verb"] not in {"Compiling", "Finished"} and not bar:
            what = f"{status['verb'].lower()} {status['rest'].strip()}"
            self._say(Progress(self.last.done, self.last.total, what))

    def finish(self, artifacts: int, *, rebuilt: bool) -> None:
        total = self.last.total or artifacts
        self._say(Progress(total, total, "built" if rebuilt else "up to date"))

    def _say(self, progress: Progress) -> None:
        if progress != self.last:
            self.last = progress
            self.report(progress)


def _failure(
    message: str, words: list[str], messages: _Messages | None = None, *, default_features: bool = True
) -> BuildError:
    text = "\n".join(words)
    errors, codes = (messages.errors, frozenset(messages.codes)) if messages else ([], frozenset())
    diagnosis = diagnose(text, codes=codes, default_features=default_features)
    detail = "\n".join([*errors, text]).strip()
    return BuildError(
        diagnosis.message if diagnosis else message, hint=diagnosis.hint if diagnosis else None, detail=detail or None
    )
