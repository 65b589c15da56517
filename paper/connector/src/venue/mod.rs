//! The connector types. Each is a module of its own behind the cargo feature of its name.

#[cfg(feature = "binancefutures")]
mod binancefutures;
#[cfg(feature = "binancespot")]
mod binancespot;
#[cfg(feature = "bybit")]
mod bybit;

use serde::de::DeserializeOwned;

use crate::endpoint::Endpoint;

/// How a venue writes symbols towards bots.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    not(all(feature = "binancefutures", feature = "binancespot", feature = "bybit")),
    allow(dead_code, reason = "each venue constructs one of them")
)]
pub enum SymbolCase {
    Lower,
    Upper,
}

impl SymbolCase {
    pub fn apply(self, symbol: &str) -> String {
        match self {
            Self::Lower => symbol.to_lowercase(),
            Self::Upper => symbol.to_uppercase(),
        }
    }
}

/// A configured venue: where its market data is.
#[derive(Debug, PartialEq)]
pub struct Venue {
    /// The websocket URL, used as it is written.
    pub stream_url: String,
    /// Base of the REST interface.
    pub api: Endpoint,
    pub case: SymbolCase,
}

#[cfg_attr(
    not(any(feature = "binancefutures", feature = "binancespot", feature = "bybit")),
    allow(dead_code, reason = "there is nothing to open without a type")
)]
impl Venue {
    fn new(stream: (&str, &str), api: (&str, &str), case: SymbolCase) -> Result<Self, String> {
        let (stream_key, stream_url) = stream;
        let (api_key, api_url) = api;
        Endpoint::parse(stream_key, stream_url, "ws")?;
        Ok(Self {
            stream_url: stream_url.to_owned(),
            api: Endpoint::parse(api_key, api_url, "http")?,
            case,
        })
    }
}

/// Opens the venue of a type; `None` when the type is unknown or not compiled in.
///
/// The error never quotes the file, which may hold a secret.
pub fn open(kind: &str, config: &str) -> Option<Result<Venue, String>> {
    match kind {
        #[cfg(feature = "binancefutures")]
        "binancefutures" => Some(read(config).and_then(binancefutures::venue)),
        #[cfg(feature = "binancespot")]
        "binancespot" => Some(read(config).and_then(binancespot::venue)),
        #[cfg(feature = "bybit")]
        "bybit" => Some(read(config).and_then(bybit::venue)),
        _ => {
            let _ = config;
            None
        }
    }
}

#[cfg_attr(
    not(any(feature = "binancefutures", feature = "binancespot", feature = "bybit")),
    allow(dead_code, reason = "there is nothing to read without a type")
)]
fn read<T: DeserializeOwned>(config: &str) -> Result<T, String> {
    toml::from_str(config).map_err(|error| {
        let line = error
            .span()
            .map(|span| config[..span.start].lines().count().max(1));
        match line {
            Some(line) => format!("line {line}: {}", error.message()),
            None => error.message().to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_type_is_nothing() {
        assert!(open("kraken", "").is_none());
    }

    #[cfg(feature = "binancefutures")]
    #[test]
    fn binancefutures_needs_two_urls_and_ignores_unknown_keys() {
        let config = "stream_url = 'ws://127.0.0.1:1/ws'\napi_url = 'http://127.0.0.1:1'\nsecret_key = 'typo'";
        let venue = open("binancefutures", config)
            .expect("compiled in")
            .expect("complete");
        assert_eq!(venue.stream_url, "ws://127.0.0.1:1/ws");
        assert_eq!(venue.case, SymbolCase::Lower);
        let error = open("binancefutures", "stream_url = 'ws://127.0.0.1:1/ws'")
            .expect("compiled in")
            .expect_err("incomplete");
        assert!(error.contains("api_url"), "{error}");
    }

    #[cfg(feature = "binancefutures")]
    #[test]
    fn a_broken_file_is_located_and_not_quoted() {
        let config = "stream_url = 'ws://127.0.0.1:1/ws'\nsecret = 'hush";
        let error = open("binancefutures", config)
            .expect("compiled in")
            .expect_err("broken");
        assert!(error.starts_with("line 2: "), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }

    #[cfg(feature = "bybit")]
    #[test]
    fn bybit_refuses_a_prefix_that_its_order_ids_cannot_hold() {
        let config = |prefix: &str| {
            format!(
                "public_url = 'ws://127.0.0.1:1/ws'\nprivate_url = ''\ntrade_url = ''\nrest_url = 'http://127.0.0.1:1'\n\
                 api_key = ''\nsecret = ''\ncategory = 'linear'\norder_prefix = '{prefix}'"
            )
        };
        let opened = |prefix| open("bybit", &config(prefix)).expect("compiled in");
        assert_eq!(
            opened("12345678").map(|venue| venue.case),
            Ok(SymbolCase::Upper)
        );
        assert!(opened("123456789").is_err());
        assert!(opened("a/b").is_err());
    }
}
