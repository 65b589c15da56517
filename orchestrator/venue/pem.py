"""Ed25519 private keys as the spot connector reads them: PKCS#8 in PEM.

The connector calls ed25519_dalek's `from_pkcs8_pem` and unwraps (connector/src/utils.rs:144-148 of hftbacktest
5f3ec40): anything else ends it. PEM as in RFC 7468, the structure as in RFC 8410.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

_BLOCK: Final = re.compile(
    r"-----BEGIN PRIVATE KEY-----\r?\n((?:[A-Za-z0-9+/]{64}\r?\n)*[A-Za-z0-9+/]{1,64}={0,2})\r?\n"
    r"-----END PRIVATE KEY-----(?:\r?\n)?"
)
_ALGORITHM: Final = bytes.fromhex("300506032b6570")
_SEED: Final = bytes.fromhex("04220420")
_VERSIONS: Final = {bytes.fromhex("302e020100"): 48, bytes.fromhex("3051020101"): 83}
"""How the DER begins and how long it is: version 1, and version 2, which holds the public key too."""


def fault(text: str) -> str | None:
    """Return why `text` is no Ed25519 private key in PEM, completing "it ..."; None when it is one.

    Never more lenient than the connector (measured on 22 texts), but for a version 2 key with a foreign public half.
    """
    if "-----BEGIN" not in text:
        return "is not in PEM: it does not hold -----BEGIN PRIVATE KEY-----"
    if "\\n" in text:
        return "holds \\n as two characters where lines should end"
    if "-----BEGIN PRIVATE KEY-----" not in text:
        return "is a PEM block, but no plain PKCS#8 PRIVATE KEY"
    block = _BLOCK.fullmatch(text)
    if block is None:
        return "is a PEM block whose lines are not as they were written"
    try:
        der = base64.b64decode(re.sub(r"\s", "", block[1]), validate=True)
    except binascii.Error:
        return "is a PEM block whose content is cut off"
    head, rest = der[:5], der[5:]
    if _VERSIONS.get(head) == len(der) and rest.startswith(_ALGORITHM + _SEED):
        return None
    return "is a private key, but not of Ed25519"
