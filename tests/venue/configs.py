"""A sound table for each type on each network, written out here from the exchanges' documentation."""

from __future__ import annotations

from typing import Final

SECRET: Final = "Xk9-never-shown"
SEED: Final = "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
PEM: Final = f"-----BEGIN PRIVATE KEY-----\n{SEED}\n-----END PRIVATE KEY-----\n"


def _futures(stream: str, rest: str) -> dict[str, str]:
    return {"stream_url": stream, "api_url": rest, "order_prefix": "mm1"}


def _spot(stream: str, rest: str, ws_api: str) -> dict[str, str]:
    return {"stream_url": stream, "api_url": rest, "ws_api_url": ws_api, "order_prefix": "mm1"}


def _bybit(stream: str, rest: str, *, private: str | None = None) -> dict[str, str]:
    return {
        "public_url": f"{stream}/v5/public/linear",
        "private_url": f"{private or stream}/v5/private",
        "trade_url": f"{stream}/v5/trade",
        "rest_url": rest,
        "category": "linear",
        "order_prefix": "mm1",
        "api_key": "",
        "secret": "",
    }


_HERE: Final = "ws://127.0.0.1:17871"
CONFIGS: Final[dict[tuple[str, str], dict[str, str]]] = {
    ("binancefutures", "mainnet"): _futures("wss://fstream.binance.com/ws", "https://fapi.binance.com"),
    ("binancefutures", "testnet"): _futures("wss://fstream.binancefuture.com/ws", "https://testnet.binancefuture.com"),
    ("binancefutures", "demo"): _futures("wss://demo-fstream.binance.com/ws", "https://demo-fapi.binance.com"),
    ("binancefutures", "local"): _futures(f"{_HERE}/ws", "http://127.0.0.1:17871"),
    ("binancespot", "mainnet"): _spot(
        "wss://stream.binance.com:9443/ws", "https://api.binance.com", "wss://ws-api.binance.com:443/ws-api/v3"
    ),
    ("binancespot", "testnet"): _spot(
        "wss://stream.testnet.binance.vision/ws",
        "https://testnet.binance.vision",
        "wss://ws-api.testnet.binance.vision/ws-api/v3",
    ),
    ("binancespot", "demo"): _spot(
        "wss://demo-stream.binance.com/ws", "https://demo-api.binance.com", "wss://demo-ws-api.binance.com/ws-api/v3"
    ),
    ("binancespot", "local"): _spot(f"{_HERE}/ws", "http://localhost:17871", "ws://[::1]:17871/ws-api/v3"),
    ("bybit", "mainnet"): _bybit("wss://stream.bybit.com", "https://api.bybit.com"),
    ("bybit", "testnet"): _bybit("wss://stream-testnet.bybit.com", "https://api-testnet.bybit.com"),
    ("bybit", "demo"): _bybit(
        "wss://stream.bybit.com", "https://api-demo.bybit.com", private="wss://stream-demo.bybit.com"
    ),
    ("bybit", "local"): _bybit(_HERE, "http://127.0.0.1:17871"),
}
