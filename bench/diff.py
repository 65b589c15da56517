"""`hftstack diff` between two commits of a stack of a hundred connectors, each with a TOML file, as a whole process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from bench import options
from bench.hftstack import installed
from bench.report import Report
from bench.status import in_turn

CONFIG = """\
stream_url = "wss://fstream.binancefuture.com/ws"
api_url = "https://testnet.binancefuture.com"
order_prefix = "p{number:04}"
"""
_WHO = ("-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false")


def committed(folder: Path, count: int) -> Path:
    """Make a repository of two commits, between which every tenth config changes; return the stack file."""
    file = folder / "stack.yaml"
    names = [f"c{number}" for number in range(count)]
    units = "".join(f"  {name}: {{type: binancefutures, config: {name}.toml}}\n" for name in names)
    file.write_text(f"version: 1\nnetwork: testnet\nconnectors:\n{units}", encoding="utf-8")
    _git(folder, "init", "-q")
    for change in range(2):
        for number, name in enumerate(names):
            text = CONFIG.format(number=number + (1000 if change and number % 10 == 0 else 0))
            (folder / f"{name}.toml").write_text(text, encoding="utf-8")
        _git(folder, "add", "-A")
        _git(folder, *_WHO, "commit", "-q", "-m", str(change))
    return file


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, stdin=subprocess.DEVNULL)  # noqa: S607 - git of the PATH


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.diff", __doc__, n=20)
    parser.add_argument("--connectors", type=int, default=100, help="how many the stack has (default 100)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hb-") as folder:
        hftstack = installed(Path(folder) / "home")
        repository = Path(folder, "repository")
        repository.mkdir()
        file = committed(repository, chosen.connectors)
        rows = [
            (
                f"hftstack diff, {chosen.connectors} connectors",
                (*hftstack.command, "diff", "HEAD~1", "HEAD", str(file)),
            ),
            (f"hftstack validate, {chosen.connectors} connectors", (*hftstack.command, "validate", str(file))),
            ('python -c "import yaml, pydantic"', (sys.executable, "-c", "import yaml, pydantic")),
        ]
        samples = in_turn([(*row, hftstack.environ) for row in rows], chosen.n)
    Report("diff", samples).show(chosen.format)


if __name__ == "__main__":
    main()
