"""The files of a git revision, read without a checkout by one `git cat-file`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.engine.attribution import environment
from orchestrator.errors import RefusedError, UsageError
from orchestrator.stack import textfile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

_WITHIN: Final = 30.0
"""Seconds that git has to look up a revision."""

_MISSING: Final = ("there is no such file in this revision", "check the path, or commit the file", "file-missing")


class Revision:
    """Gives what was at a path in a commit; a file outside of the repository is the one on disk.

    Args:
        name: a commit as its user names it: a branch, a tag, a hash, HEAD~2.
        beside: a path in the repository; it need not exist any more.
        environ: the caller's environment.

    Raises:
        UsageError: this is no repository, or it has no such revision.
        RefusedError: there is no git.
    """

    def __init__(self, name: str, beside: Path, environ: Mapping[str, str]) -> None:
        self.name = name
        program = shutil.which("git", path=environ.get("PATH"))
        if program is None:
            raise RefusedError("there is no program git on the PATH", hint="install it (apt-get install git)")
        folder = _existing(beside)
        self._env = environment(environ)
        self._git = (program, "--no-replace-objects", "-C", str(folder))
        root = self._ask("rev-parse", "--show-toplevel")
        if root is None:
            raise UsageError(f"{folder} is in no git repository", hint="run it in a checkout, bare ones have no files")
        self._root = os.path.realpath(root)
        commit = self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if commit is None:
            raise UsageError(
                f"there is no revision {name!r} in {self._root}",
                hint="git fetch it; a shallow clone lacks history (fetch-depth: 0)",
            )
        self.commit = commit
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Keep git at hand."""
        self._process = subprocess.Popen(
            [*self._git, "cat-file", "--batch", "--follow-symlinks"],
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let git go."""
        if self._process is not None:
            self._process.communicate()

    def read(self, path: Path, most: int) -> bytes:
        """Return the bytes of a file, of which there may be `most`. Raises UnreadableError."""
        inside = self._inside(path)
        if inside is None:
            return textfile.read(path, most)
        kind, content = self._object(inside)
        if kind == "tree":
            raise textfile.UnreadableError("this is a directory, not a file", "name the file in it", "file-directory")
        if kind != "blob":
            raise textfile.UnreadableError(*_MISSING)
        if len(content) > most:
            raise textfile.UnreadableError(f"the file is larger than {most >> 20} MiB", "check the path", "file-size")
        return content

    def own(self, path: Path) -> bytes | None:
        """Return the bytes of a file of the repository's, None where it has none."""
        inside = self._inside(path)
        kind, content = ("missing", b"") if inside is None else self._object(inside)
        return content if kind == "blob" else None

    def has(self, path: Path) -> bool:
        """Tell whether there is a file."""
        inside = self._inside(path)
        return path.is_file() if inside is None else self._object(inside)[0] == "blob"

    def holds(self, path: Path, content: bytes) -> bool:
        """Tell whether a file of the repository has this content, after what git does to one that it takes in."""
        inside = self._inside(path)
        if inside is None:
            return False
        kind, committed = self._object(inside)
        if kind != "blob" or committed == content:
            return kind == "blob"
        taken_in = subprocess.run(
            [self._git[0], "-C", self._root, "hash-object", "--stdin", "--path", inside],
            input=content,
            env=self._env,
            capture_output=True,
            check=False,
        )
        return taken_in.returncode == 0 and taken_in.stdout.decode().strip() == self._ask(
            "rev-parse", "--verify", f"{self.commit}:{inside}"
        )

    def has_folder(self, path: Path) -> bool:
        """Tell whether there is a folder; one outside of the repository is another machine's."""
        inside = self._inside(path)
        return inside is None or inside == "" or self._object(inside)[0] == "tree"

    def _inside(self, path: Path) -> str | None:
        absolute = os.path.abspath(path)  # noqa: PTH100 - links inside of the repository are git's to follow
        folder = _existing(Path(absolute).parent)
        whole = os.path.normpath(Path(os.path.realpath(folder), os.path.relpath(absolute, folder)))
        found = os.path.relpath(whole, self._root)
        if found == ".":
            return ""
        return None if found == ".." or found.startswith("../") else found

    def _object(self, inside: str) -> tuple[str, bytes]:
        process = self._process
        if "\n" in inside:
            return "missing", b""
        assert process is not None  # noqa: S101 - within the context
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(f"{self.commit}:{inside}\n".encode(errors="surrogateescape"))
        process.stdin.flush()
        head = process.stdout.readline().split()
        if len(head) != 3 or not head[2].isdigit():  # noqa: PLR2004 - digest, type, size
            if len(head) == 2 and head[0] in {b"symlink", b"dangling", b"loop", b"notdir"}:  # noqa: PLR2004
                process.stdout.read(int(head[1]) + 1)
            return "missing", b""
        content = process.stdout.read(int(head[2]) + 1)[:-1]
        return head[1].decode(), content

    def _ask(self, *words: str) -> str | None:
        try:
            done = subprocess.run(
                [*self._git, *words],
                env=self._env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="surrogateescape",
                timeout=_WITHIN,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RefusedError(
                f"git {words[0]} did not answer within {_WITHIN:g} s", hint="is the repository on a disk that hangs?"
            ) from None
        return done.stdout.rstrip("\n") if done.returncode == 0 else None


def _existing(path: Path) -> Path:
    """Return the folder at a path, or the nearest one above it."""
    folder = Path(os.path.abspath(path))  # noqa: PTH100 - links stay
    while not folder.is_dir():
        folder = folder.parent
    return folder
