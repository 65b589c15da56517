//! Binance USD-M futures' JSON, the part that public market data needs.

use serde::Deserialize;
use serde_json::json;

/// Price and quantity as decimal strings.
pub type Level = (String, String);

/// What comes over the websocket.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum Incoming {
    Market(MarketMessage),
    Answer { result: Option<String>, id: String },
    Error { code: i64, msg: String },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "e")]
pub enum MarketMessage {
    #[serde(rename = "depthUpdate")]
    Depth(Depth),
    #[serde(rename = "trade")]
    Trade(Trade),
}

#[derive(Debug, Deserialize, PartialEq)]
pub struct Depth {
    /// Milliseconds since the epoch, here and below.
    #[serde(rename = "T")]
    pub time: i64,
    #[serde(rename = "s")]
    pub symbol: String,
    #[serde(rename = "b")]
    pub bids: Vec<Level>,
    #[serde(rename = "a")]
    pub asks: Vec<Level>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub struct Trade {
    #[serde(rename = "T")]
    pub time: i64,
    #[serde(rename = "s")]
    pub symbol: String,
    #[serde(rename = "p")]
    pub price: String,
    #[serde(rename = "q")]
    pub quantity: String,
    /// `MARKET`, or what Binance calls insurance fund and ADL trades.
    #[serde(rename = "X")]
    pub order_type: String,
    #[serde(rename = "m")]
    pub buyer_is_maker: bool,
}

/// The depth snapshot.
#[derive(Debug, Deserialize, PartialEq)]
pub struct Snapshot {
    #[serde(rename = "T")]
    pub time: i64,
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
}

/// The request for a symbol's trades and depth.
pub fn subscribe(symbol: &str, id: u64) -> String {
    let symbol = symbol.to_lowercase();
    json!({
        "method": "SUBSCRIBE",
        "params": [format!("{symbol}@trade"), format!("{symbol}@depth@0ms")],
        "id": id.to_string(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Incoming {
        serde_json::from_str(text).expect("understood")
    }

    #[test]
    fn an_event_is_told_from_an_answer() {
        let depth = parse(
            r#"{"e":"depthUpdate","E":2,"T":1,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[["1.5","2"]],"a":[]}"#,
        );
        assert_eq!(
            depth,
            Incoming::Market(MarketMessage::Depth(Depth {
                time: 1,
                symbol: "BTCUSDT".into(),
                bids: vec![("1.5".into(), "2".into())],
                asks: vec![],
            }))
        );
        assert_eq!(
            parse(r#"{"result":null,"id":"7"}"#),
            Incoming::Answer {
                result: None,
                id: "7".into()
            }
        );
        assert_eq!(
            parse(r#"{"code":2,"msg":"Invalid request"}"#),
            Incoming::Error {
                code: 2,
                msg: "Invalid request".into()
            }
        );
    }

    #[test]
    fn an_unknown_event_is_an_error() {
        assert!(serde_json::from_str::<Incoming>(r#"{"e":"markPriceUpdate"}"#).is_err());
    }

    #[test]
    fn stream_names_are_in_lower_case() {
        let request: serde_json::Value =
            serde_json::from_str(&subscribe("BTCUSDT", 3)).expect("JSON");
        assert_eq!(
            request,
            json!({"method": "SUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@depth@0ms"], "id": "3"})
        );
    }
}
