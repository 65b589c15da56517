"""Cargo: find the workspace, build the union of features once, keep the binaries by digest.

result = build.ensure(request, environ=os.environ, progress=draw)
result.binaries[build.CONNECTOR].path
"""

from orchestrator.build.builder import ensure
from orchestrator.build.cargo import Progress
from orchestrator.build.provenance import Provenance, examine
from orchestrator.build.request import CONNECTOR, BuildRequest, BuildResult, Program, Repository
from orchestrator.build.store import StoredBinary

__all__ = [
    "CONNECTOR",
    "BuildRequest",
    "BuildResult",
    "Program",
    "Progress",
    "Provenance",
    "Repository",
    "StoredBinary",
    "ensure",
    "examine",
]
