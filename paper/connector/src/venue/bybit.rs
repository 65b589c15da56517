//! `bybit`: the keys of upstream's Bybit connector, on the futures' stream of the paper exchange.

use serde::Deserialize;

use super::{SymbolCase, Venue};

/// Longest order prefix in bytes: Bybit's order link id is 36 bytes long, upstream takes 28 of them.
const MAX_PREFIX: usize = 8;

/// The URLs and keys of order entry are required and not used: there is no order entry.
#[derive(Deserialize)]
pub struct Config {
    public_url: String,
    rest_url: String,
    order_prefix: String,
    #[serde(rename = "private_url")]
    _private_url: String,
    #[serde(rename = "trade_url")]
    _trade_url: String,
    #[serde(rename = "api_key")]
    _api_key: String,
    #[serde(rename = "secret")]
    _secret: String,
    #[serde(rename = "category")]
    _category: String,
}

pub fn venue(config: Config) -> Result<Venue, String> {
    if config.order_prefix.contains('/') || config.order_prefix.len() > MAX_PREFIX {
        return Err(format!(
            "order_prefix: at most {MAX_PREFIX} bytes, without \"/\""
        ));
    }
    Venue::new(
        ("public_url", &config.public_url),
        ("rest_url", &config.rest_url),
        SymbolCase::Upper,
    )
}
