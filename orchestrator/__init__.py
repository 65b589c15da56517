"""hftstack: a declarative orchestrator for HftBacktest live connectors."""
