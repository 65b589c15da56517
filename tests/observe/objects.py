"""Objects of `status`, and the specs they belong to."""

from __future__ import annotations

from typing import Any

from orchestrator.deployment.model import Dependency, File, Kind, Level, UnitSpec


def unit(name: str = "bf", kind: str = "connector", **told: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a unit as `status` has it: one that is up where nothing else is told."""
    return {
        "name": name,
        "kind": kind,
        "state": "up",
        "level": "connected" if kind == "connector" else "ready",
        "pid": 41213,
        "since": "2026-03-01T12:00:00.000Z",
        "restarts": 0,
        "exit": None,
        "proven": None,
        "channel": None,
        "wanted": True,
        "target": "connected" if kind == "connector" else "ready",
        "reached": True,
        "why": None,
        "waits_for": [],
        "depends_on": [],
        "unclean": None,
        "external": False,
        "log": f"/nowhere/{name}/00000001.log",
        **told,
    }


def channel(**told: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a live channel with one bot on it."""
    return {
        "verdict": "live",
        "iceoryx2": "0.6.1",
        "bots": [{"pid": 41977, "written": 1000, "lag": 3}],
        "detail": None,
        "rate": 212.4,
        "silent": 0.01,
        **told,
    }


def status(*units: dict[str, Any], **told: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the object of a supervised stack."""
    return {
        "stack": "prod",
        "file": "/srv/prod.yaml",
        "network": "testnet",
        "supervised": True,
        "supervisor": {"pid": 41200, "since": "2026-03-01T11:59:59.000Z"},
        "halted": None,
        "units": list(units),
        **told,
    }


def spec(name: str = "bf", kind: Kind = Kind.CONNECTOR, *on: str, **told: Any) -> UnitSpec:  # noqa: ANN401 - fields
    """Return a spec; `on` are the units that it depends on."""
    fields: dict[str, Any] = {
        "argv": ("/bin/true",),
        "executable": File("/bin/true", "0" * 64),
        "cwd": "/",
        "env": (),
        "target": Level.CONNECTED if kind is Kind.CONNECTOR else Level.READY,
        "depends_on": tuple(map(Dependency, on)),
        **told,
    }
    return UnitSpec(name=name, kind=kind, **fields)
