"""`hftstack validate` of a stack of a thousand connectors on one account, as a whole process.

Beside it, in turns: the same with five connectors, what no Python program that reads such a file with libyaml and
pydantic can do without (importing them), and check-jsonschema, which sees less: it looks at keys and types only.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import options
from bench.hftstack import installed
from bench.report import Report
from bench.status import in_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA: Final = Path(__file__).resolve().parent.parent / "schemas" / "stack.schema.json"


CONNECTOR: Final = """\
  c{number}:
    type: binancefutures
    features: [binancefutures]
    config:
      stream_url: wss://fstream.binancefuture.com/ws
      api_url: https://testnet.binancefuture.com
      order_prefix: p{number:04}
      api_key: ${{BENCH_KEY}}
      secret: ${{BENCH_SECRET}}
    health: {{startup: 10s, interval: 100ms}}
    restart: {{policy: on-failure, backoff: {{initial: 100ms, max: 30s}}, limit: {{restarts: 10, window: 10m}}}}
    resources: {{nice: -5}}
"""


def large(folder: Path, count: int) -> Path:
    """Write a stack of `count` keyed connectors with inline tables, each with an order prefix of its own."""
    file = folder / f"large-{count}.yaml"
    connectors = "".join(CONNECTOR.format(number=number) for number in range(count))
    file.write_text(f"version: 1\nnetwork: testnet\nconnectors:\n{connectors}", encoding="utf-8")
    return file


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.validate", __doc__, n=20)
    parser.add_argument("--connectors", type=int, default=1000, help="how many the stack has (default 1000)")
    options.add_peers(parser)
    chosen = parser.parse_args()
    notes = []
    with tempfile.TemporaryDirectory(prefix="hb-") as folder:
        hftstack = installed(Path(folder) / "home")
        environ = {**hftstack.environ, "BENCH_KEY": "0" * 64, "BENCH_SECRET": "1" * 64}
        validate = (*hftstack.command, "validate")
        file = large(Path(folder), chosen.connectors)
        rows: list[tuple[str, Sequence[str]]] = [
            (f"hftstack validate, {chosen.connectors} connectors", (*validate, str(file))),
            ("hftstack validate, 5 connectors", (*validate, str(large(Path(folder), 5)))),
            ('python -c "import yaml, pydantic"', (sys.executable, "-c", "import yaml, pydantic")),
        ]
        if importlib.util.find_spec("check_jsonschema") is None:
            notes.append("check-jsonschema is not measured: pip install check-jsonschema")
        elif not chosen.no_peers:
            program = (sys.executable, "-m", "check_jsonschema", "--schemafile", str(SCHEMA), str(file))
            rows.append((f"check-jsonschema, {chosen.connectors} connectors", program))
        samples = in_turn([(*row, environ) for row in rows], chosen.n)
    Report("validate", samples, tuple(notes)).show(chosen.format)


if __name__ == "__main__":
    main()
