"""The channel, iceoryx2 seen from outside: by reading files, never as a participant. Standard library only.

Nothing here maps memory, opens an iceoryx2 file for writing or creates a node: a read fault in a sparse tmpfs file
allocates memory, a foreign node takes a bot's place, and some versions poison what a killed connector left.
"""

from orchestrator.channel.location import ChannelConfigError, Location, locate
from orchestrator.channel.nodes import Nodes, scan_nodes
from orchestrator.channel.probe import Probe
from orchestrator.channel.verdict import BotLink, Reading, Verdict

__all__ = ["BotLink", "ChannelConfigError", "Location", "Nodes", "Probe", "Reading", "Verdict", "locate", "scan_nodes"]
