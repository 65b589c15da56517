//! Addresses of the exchange, without TLS.

use std::fmt;

use tokio_tungstenite::tungstenite::http::Uri;

/// Host, port and path of a plain `http://` or `ws://` URL.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    /// Without a slash at its end.
    pub path: String,
}

impl Endpoint {
    /// Reads a URL; the error says what to write instead, for the key it stands under.
    pub fn parse(key: &str, url: &str, scheme: &str) -> Result<Self, String> {
        let wrong =
            || format!("{key}: the paper connector has no TLS, write {scheme}://HOST:PORT/PATH");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some(scheme) {
            return Err(wrong());
        }
        Ok(Self {
            host: uri.host().ok_or_else(wrong)?.to_owned(),
            port: uri.port_u16().unwrap_or(80),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// `HOST:PORT`, as a socket address and as an HTTP `Host`.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let endpoint = Endpoint::parse("stream_url", "ws://127.0.0.1:9000/ws", "ws").expect("URL");
        assert_eq!(endpoint.to_string(), "127.0.0.1:9000/ws");
        let endpoint = Endpoint::parse("api_url", "http://localhost", "http").expect("URL");
        assert_eq!(endpoint.to_string(), "localhost:80");
    }

    #[test]
    fn tls_and_nonsense_are_refused_by_key() {
        for url in ["https://fapi.binance.com", "127.0.0.1:9000", "", "http://"] {
            let error = Endpoint::parse("api_url", url, "http").expect_err("refused");
            assert!(error.starts_with("api_url: "), "{error}");
        }
    }
}
