"""The options that all benches have."""

from __future__ import annotations

import argparse


def parser(module: str, description: str | None, *, n: int) -> argparse.ArgumentParser:
    """Return a parser with --n and --format. `description` is the module's docstring."""
    made = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--n", type=_positive, default=n, help=f"how often each is measured (default {n})")
    made.add_argument("--format", choices=("text", "json"), default="text")
    return made


def add_programs(made: argparse.ArgumentParser) -> None:
    """Add what the benches on a real channel have in common."""
    made.add_argument("--connector", metavar="PATH", help="another connector binary, such as the upstream one")
    made.add_argument("--rate", type=float, default=50.0, help="depth updates a second (default 50)")


def add_peers(made: argparse.ArgumentParser) -> None:
    """Add what the benches beside peers have in common."""
    made.add_argument("--no-peers", action="store_true", help="measure hftstack alone")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be above 0")
    return number
