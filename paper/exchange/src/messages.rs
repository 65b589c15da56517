//! Binance USD-M futures' JSON, the part that public market data needs.
//!
//! Field names: developers.binance.com, "USDS-Margined Futures", websocket market streams and "Order Book".

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::book::{Book, Level, Trade, Update, decimals};

/// What a client may send over the websocket.
#[derive(Debug, Deserialize)]
pub struct Request {
    pub method: Method,
    pub params: Vec<String>,
    /// Echoed as it came: Binance's clients send numbers or strings.
    pub id: Value,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Subscribe,
    Unsubscribe,
}

#[derive(Serialize)]
struct Answer<'a> {
    result: Option<&'a str>,
    id: &'a Value,
}

#[derive(Serialize)]
struct DepthUpdate<'a> {
    e: &'a str,
    #[serde(rename = "E")]
    event_time: u64,
    #[serde(rename = "T")]
    transaction_time: u64,
    s: &'a str,
    #[serde(rename = "U")]
    first_id: u64,
    u: u64,
    pu: u64,
    b: Vec<(String, String)>,
    a: Vec<(String, String)>,
}

#[derive(Serialize)]
struct TradeEvent<'a> {
    e: &'a str,
    #[serde(rename = "E")]
    event_time: u64,
    #[serde(rename = "T")]
    transaction_time: u64,
    s: &'a str,
    t: u64,
    p: String,
    q: String,
    #[serde(rename = "X")]
    order_type: &'a str,
    m: bool,
}

#[derive(Serialize)]
struct Snapshot {
    #[serde(rename = "lastUpdateId")]
    last_id: u64,
    #[serde(rename = "E")]
    event_time: u64,
    #[serde(rename = "T")]
    transaction_time: u64,
    bids: Vec<(String, String)>,
    asks: Vec<(String, String)>,
}

/// The answer to a request that was done.
pub fn answer(id: &Value) -> String {
    json(&Answer { result: None, id })
}

/// Binance's error object, over websocket and REST alike.
pub fn error(code: i64, message: &str) -> String {
    json(&serde_json::json!({"code": code, "msg": message}))
}

/// `time` is in milliseconds since the epoch, here and below.
pub fn depth_update(symbol: &str, update: Update, time: u64) -> String {
    json(&DepthUpdate {
        e: "depthUpdate",
        event_time: time,
        transaction_time: time,
        s: symbol,
        first_id: update.first_id,
        u: update.last_id,
        pu: update.previous_id,
        b: levels(update.bids),
        a: levels(update.asks),
    })
}

pub fn trade(symbol: &str, trade: &Trade, time: u64) -> String {
    let (price, quantity) = decimals(trade.level);
    json(&TradeEvent {
        e: "trade",
        event_time: time,
        transaction_time: time,
        s: symbol,
        t: trade.id,
        p: price,
        q: quantity,
        order_type: "MARKET",
        m: trade.buyer_is_maker,
    })
}

pub fn snapshot(book: &Book, limit: usize, time: u64) -> String {
    json(&Snapshot {
        last_id: book.last_id(),
        event_time: time,
        transaction_time: time,
        bids: levels(book.bids(limit)),
        asks: levels(book.asks(limit)),
    })
}

fn levels(levels: Vec<Level>) -> Vec<(String, String)> {
    levels.into_iter().map(decimals).collect()
}

fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("plain structs with string keys always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn the_upstream_connectors_request_is_understood_and_its_id_echoed() {
        let request: Request = serde_json::from_str(
            r#"{
                            "method": "SUBSCRIBE",
                            "params": [
                                "btcusdt@trade",
                                "btcusdt@depth@0ms"
                            ],
                            "id": "x7"
                        }"#,
        )
        .expect("understood");
        assert_eq!(request.method, Method::Subscribe);
        assert_eq!(request.params, ["btcusdt@trade", "btcusdt@depth@0ms"]);
        assert_eq!(answer(&request.id), r#"{"result":null,"id":"x7"}"#);
    }

    #[test]
    fn a_depth_update_has_binances_fields() {
        let update = Update {
            first_id: 3,
            last_id: 4,
            previous_id: 2,
            bids: vec![(599_999, 1500)],
            asks: vec![(600_001, 0)],
        };
        assert_eq!(
            parsed(&depth_update("BTCUSDT", update, 7)),
            serde_json::json!({"e": "depthUpdate", "E": 7, "T": 7, "s": "BTCUSDT", "U": 3, "u": 4, "pu": 2,
                "b": [["59999.9", "1.500"]], "a": [["60000.1", "0.000"]]})
        );
    }

    #[test]
    fn a_trade_has_binances_fields() {
        let event = Trade {
            id: 9,
            level: (600_001, 2),
            buyer_is_maker: false,
        };
        assert_eq!(
            parsed(&trade("BTCUSDT", &event, 7)),
            serde_json::json!({"e": "trade", "E": 7, "T": 7, "s": "BTCUSDT", "t": 9, "p": "60000.1", "q": "0.002",
                "X": "MARKET", "m": false})
        );
    }

    #[test]
    fn a_snapshot_is_cut_to_its_limit() {
        let snapshot = parsed(&snapshot(&Book::new("BTCUSDT"), 5, 7));
        assert_eq!(snapshot["bids"].as_array().map(Vec::len), Some(5));
        assert_eq!(snapshot["asks"].as_array().map(Vec::len), Some(5));
        assert!(snapshot["lastUpdateId"].is_u64());
    }
}
