"""The files of a stack as they are committed: each as the HEAD of its own repository has it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from orchestrator.engine.attribution import git
from orchestrator.engine.revision import Revision
from orchestrator.errors import RefusedError, UsageError
from orchestrator.stack import textfile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self


class Committed:
    """Gives what was committed at a path; a file in no repository with a commit is the one on disk."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._heads: dict[Path, Revision | None] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Keep git at hand."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let git go."""
        self._open.close()

    def read(self, path: Path, most: int) -> bytes:
        """Return the bytes of a file, of which there may be `most`. Raises UnreadableError."""
        head = self._head(path)
        return textfile.read(path, most) if head is None else head.read(path, most)

    def has_folder(self, path: Path) -> bool:
        """Tell whether there is a folder."""
        head = self._head(path)
        return textfile.Disk().has_folder(path) if head is None else head.has_folder(path)

    def has(self, path: Path) -> bool:
        """Tell whether there is such a file in its repository's last commit."""
        head = self._head(path)
        return head is not None and head.has(path)

    def holds(self, path: Path, content: bytes) -> bool:
        """Tell whether this content of a file is committed; a link out of its repository counts when both ends are."""
        head = self._head(path)
        if head is not None and head.holds(path, content):
            return True
        if not path.is_symlink():
            return False
        link = git(path.parent, self._environ, "diff", "--name-only", "HEAD", "--", path.name)
        tracked = git(path.parent, self._environ, "ls-files", "--error-unmatch", "--", path.name)
        return link == "" and tracked is not None and self.holds(path.resolve(), content)

    def _head(self, path: Path) -> Revision | None:
        folder = path.parent
        if folder not in self._heads:
            try:
                self._heads[folder] = self._open.enter_context(Revision("HEAD", path, self._environ))
            except (RefusedError, UsageError):
                self._heads[folder] = None
        return self._heads[folder]
