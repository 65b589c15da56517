"""What the verbs do, without a terminal: the command line and the Python interface both stand on it.

Functions take what they need, return data, raise the errors of `orchestrator.errors` and tell how it goes through
callbacks. Each module is imported by what needs it: `status` must not load what `up` needs.
"""
