from __future__ import annotations

import base64

import pytest

from orchestrator.venue import pem
from tests.venue.configs import PEM, SEED

SECOND_VERSION = base64.b64encode(
    bytes.fromhex("3051020101300506032b657004220420") + bytes(32) + bytes.fromhex("812100") + bytes(32)
).decode()


def block(content: str, label: str = "PRIVATE KEY") -> str:
    return f"-----BEGIN {label}-----\n{content}\n-----END {label}-----\n"


@pytest.mark.parametrize(
    "text",
    [PEM, PEM.rstrip("\n"), PEM.replace("\n", "\r\n"), block(SECOND_VERSION[:64] + "\n" + SECOND_VERSION[64:])],
    ids=["as openssl writes it", "without the last line end", "with CRLF", "with its public key"],
)
def test_an_ed25519_key_in_pem_is_one(text: str) -> None:
    assert pem.fault(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0a1b2c3d4e5f", "is not in PEM"),
        (SEED, "is not in PEM"),
        (PEM.replace("\n", "\\n"), "two characters"),
        (PEM.replace("\n", " "), "lines are not as they were"),
        (PEM.replace(SEED, SEED[:32]), "not of Ed25519"),
        (PEM.replace(SEED, SEED[:33]), "cut off"),
        (PEM.replace(SEED, SEED + SEED), "lines are not as they were"),
        (PEM.replace(SEED, "!" + SEED[1:]), "lines are not as they were"),
        (" " + PEM, "lines are not as they were"),
        (block(SEED, "EC PRIVATE KEY"), "no plain PKCS#8"),
        (block(SEED, "ENCRYPTED PRIVATE KEY"), "no plain PKCS#8"),
        (block(SEED, "PUBLIC KEY"), "no plain PKCS#8"),
        (PEM.replace("K2Vw", "K2Vu"), "not of Ed25519"),
    ],
)
def test_anything_else_is_named(text: str, why: str) -> None:
    fault = pem.fault(text)

    assert fault is not None
    assert why in fault
    assert SEED[20:] not in fault
