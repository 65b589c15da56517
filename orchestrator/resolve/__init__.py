"""From a stack to a deployment: paths, environments, configs, programs, nothing left to decide.

request = resolve.build_request(stack, home=home)
binaries = build.ensure(request, environ=environ) if request else None
resolution = resolve.resolve(stack, home=home, binaries=binaries, environ=environ)
"""

from orchestrator.resolve.binaries import build_request, expected, reuse
from orchestrator.resolve.error import ResolveError
from orchestrator.resolve.resolution import resolve

__all__ = ["ResolveError", "build_request", "expected", "resolve", "reuse"]
