"""The embedded simulator: a connector and a bot on genuine iceoryx2 0.10 channels, with faults on request.

Programs of their own (`python -m orchestrator.sim`): nothing of hftstack imports this, and it imports nothing but the
standard library and the wheel `iceoryx2`.
"""
