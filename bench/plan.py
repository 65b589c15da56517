"""`hftstack plan` of a stack of a thousand connectors on one account, of which nothing runs, as a whole process.

Beside it, in turns, `hftstack validate` of the same file, which a plan does first.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import options
from bench.hftstack import installed
from bench.report import Report
from bench.status import in_turn
from bench.validate import large


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.plan", __doc__, n=20)
    parser.add_argument("--connectors", type=int, default=1000, help="how many the stack has (default 1000)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hb-") as folder:
        hftstack = installed(Path(folder) / "home")
        home = {"HFTSTACK_HOME": str(Path(folder) / "state")}
        environ = {**hftstack.environ, **home, "BENCH_KEY": "0" * 64, "BENCH_SECRET": "1" * 64}
        file = str(large(Path(folder), chosen.connectors))
        rows = [
            (f"hftstack plan, {chosen.connectors} connectors", (*hftstack.command, "plan", file)),
            (f"hftstack validate, {chosen.connectors} connectors", (*hftstack.command, "validate", file)),
            ('python -c "import yaml, pydantic"', (sys.executable, "-c", "import yaml, pydantic")),
        ]
        samples = in_turn([(*row, environ) for row in rows], chosen.n)
    Report("plan", samples).show(chosen.format)


if __name__ == "__main__":
    main()
