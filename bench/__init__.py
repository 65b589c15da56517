"""The figures that hftstack is held to, each by a command that anybody can run: `python -m bench.NAME`.

Peers are measured in the same run, turn by turn, on the same machine; a figure without its peer says nothing.
"""
