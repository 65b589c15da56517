//! `binancespot`: the keys of upstream's Binance spot connector, on the futures' stream of the paper exchange.

use serde::Deserialize;

use super::{SymbolCase, Venue};

/// Upstream's `ws_api_url`, `order_prefix`, `api_key` and `secret` are read and not used: there is no order entry.
#[derive(Deserialize)]
pub struct Config {
    stream_url: String,
    api_url: String,
    #[serde(default, rename = "ws_api_url")]
    _ws_api_url: String,
    #[serde(default, rename = "order_prefix")]
    _order_prefix: String,
    #[serde(default, rename = "api_key")]
    _api_key: String,
    #[serde(default, rename = "secret")]
    _secret: String,
}

pub fn venue(config: Config) -> Result<Venue, String> {
    Venue::new(
        ("stream_url", &config.stream_url),
        ("api_url", &config.api_url),
        SymbolCase::Lower,
    )
}
