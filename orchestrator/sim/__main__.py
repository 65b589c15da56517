"""`python -m orchestrator.sim connector NAME [CONFIG]` and `... bot CONNECTOR[,CONNECTOR...] [CONFIG]`."""

from __future__ import annotations

import sys
from typing import Final

from orchestrator.sim.settings import BotSettings, ConnectorSettings, SettingsError, load

_USAGE: Final = """usage: python -m orchestrator.sim connector NAME [CONFIG.toml]
       python -m orchestrator.sim bot CONNECTOR[,CONNECTOR...] [CONFIG.toml]"""


def main(arguments: list[str]) -> int:
    """Run one program; returns its exit code: 0 stopped, 1 the channel failed, 2 usage or settings, 3 no wheel."""
    match arguments:
        case [("connector" | "bot") as program, names, *rest] if names and len(rest) <= 1:
            pass
        case _:
            return _fail(_USAGE, 2)
    path = rest[0] if rest else None
    try:
        import iceoryx2  # noqa: F401, PLC0415 - its absence must become a message, not a traceback
    except ModuleNotFoundError:
        return _fail("the simulator needs the wheel iceoryx2: pip install 'hftstack[sim]'", 3)
    # these import the wheel
    from orchestrator.sim import bot, connector  # noqa: PLC0415
    from orchestrator.sim.wire import ChannelError  # noqa: PLC0415

    try:
        if program == "connector":
            connector.run(names, load(ConnectorSettings, path))
        else:
            bot.run(names.split(","), load(BotSettings, path))
    except SettingsError as error:
        return _fail(str(error), 2)
    except ChannelError as error:
        return _fail(str(error), 1)
    return 0


def _fail(message: str, code: int) -> int:
    sys.stderr.write(message + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
