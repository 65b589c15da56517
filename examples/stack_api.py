"""A whole stack from Python: python examples/stack_api.py stacks/demo.yaml."""

from __future__ import annotations

import sys

from orchestrator import Stack

if not sys.argv[1:]:
    sys.exit(__doc__)

stack = Stack.load(sys.argv[1])
try:
    stack.up(progress=lambda event: print(event["unit"] or stack.name, event["what"], event["text"]))
    status = stack.wait(for_="fresh", timeout=30)
    for unit in status["units"]:
        print(f"{unit['name']}: {unit['state']}, {unit['level']}, pid {unit['pid']}")
finally:
    print(f"stopped {', '.join(stack.down())}")
