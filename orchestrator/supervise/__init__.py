"""The daemon. Standard library only, by test: a process that holds positions holds no third-party code."""
