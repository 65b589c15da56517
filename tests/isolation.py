"""Own iceoryx2 root and prefix for a test: names in /dev/shm do not contain the root, so both must be its own."""

from __future__ import annotations

import secrets
from pathlib import Path

from orchestrator.channel import locate

_CONFIG = """\
[global]
root-path = "{root}"
root-path-unix = "{root}"
root-path-windows = 'c:\\Temp\\iceoryx2\\'
prefix = "{prefix}"

[global.service]
directory = "services"
data-segment-suffix = ".data"
static-config-storage-suffix = ".service"
dynamic-config-storage-suffix = ".dynamic"
connection-suffix = ".connection"
event-connection-suffix = ".event"
creation-timeout = {{ secs = 0, nanos = 500000000 }}

[global.node]
directory = "nodes"
monitor-suffix = ".node_monitor"
static-config-suffix = ".details"
service-tag-suffix = ".service_tag"
cleanup-dead-nodes-on-creation = true
cleanup-dead-nodes-on-destruction = true

[defaults.publish-subscribe]
max-subscribers = 8
max-publishers = 2
max-nodes = 20
publisher-history-size = 0
subscriber-max-buffer-size = 2
subscriber-max-borrowed-samples = 2
publisher-max-loaned-samples = 2
enable-safe-overflow = true
unable-to-deliver-strategy = "Block"
subscriber-expired-connection-buffer = 128

[defaults.event]
max-listeners = 16
max-notifiers = 16
max-nodes = 36
event-id-max-value = 4294967295

[defaults.request-response]
enable-safe-overflow-for-requests = true
enable-safe-overflow-for-responses = true
max-active-requests-per-client = 4
max-response-buffer-size = 2
max-servers = 2
max-clients = 8
max-nodes = 20
max-borrowed-responses-per-pending-response = 2
max-loaned-requests = 2
server-max-loaned-responses-per-request = 2
client-unable-to-deliver-strategy = "Block"
server-unable-to-deliver-strategy = "Block"
client-expired-connection-buffer = 128
server-expired-connection-buffer = 128
enable-fire-and-forget-requests = true
"""


def iceoryx2_home(directory: Path) -> Path:
    """Write a complete config/iceoryx2.toml, for 0.6.1 to 0.10, into a directory and return that directory.

    Every process started with it as its working directory keeps its channels to itself.
    """
    file = directory / "config/iceoryx2.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_CONFIG.format(root=directory / "iox", prefix=f"t{secrets.token_hex(4)}_"), encoding="utf-8")
    return directory


def shared_memory(home: Path) -> list[Path]:
    """Return what processes of such a directory have in /dev/shm."""
    return sorted(Path("/dev/shm").glob(f"{locate(home, None).prefix}*"))


def remove_shared_memory(home: Path) -> None:
    """Delete what processes of such a directory left in /dev/shm."""
    for file in shared_memory(home):
        file.unlink(missing_ok=True)
