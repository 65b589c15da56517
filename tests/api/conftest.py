from __future__ import annotations

from tests.integration.conftest import machine

__all__ = ["machine"]
