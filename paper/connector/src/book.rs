//! The order books that the connector keeps, so that a later bot starts with the whole book.

use std::collections::HashMap;

use hftbacktest::{
    depth::{ApplySnapshot, FusedHashMapMarketDepth},
    types::{BUY_EVENT, DEPTH_EVENT, Event, SELL_EVENT},
};

#[derive(Default)]
pub struct Books(HashMap<String, FusedHashMapMarketDepth>);

impl Books {
    /// The book so far, as events. The first bot of a symbol fixes its tick and lot size and gets none.
    pub fn register(&mut self, symbol: &str, tick_size: f64, lot_size: f64) -> Vec<Event> {
        if let Some(book) = self.0.get_mut(symbol) {
            return book.snapshot();
        }
        let book = FusedHashMapMarketDepth::new(tick_size, lot_size);
        self.0.insert(symbol.to_owned(), book);
        Vec::new()
    }

    /// Takes an event in; returns what the bots have to hear of it: nothing when it is out of date, or when no bot has
    /// registered the symbol under this very name.
    pub fn fuse(&mut self, symbol: &str, event: Event) -> Vec<Event> {
        if !event.is(DEPTH_EVENT) {
            return vec![event];
        }
        let Some(book) = self.0.get_mut(symbol) else {
            return Vec::new();
        };
        if event.is(BUY_EVENT | DEPTH_EVENT) {
            book.update_bid_depth(event)
        } else if event.is(SELL_EVENT | DEPTH_EVENT) {
            book.update_ask_depth(event)
        } else {
            vec![event]
        }
    }
}

#[cfg(test)]
mod tests {
    use hftbacktest::types::{
        LOCAL_ASK_DEPTH_EVENT, LOCAL_ASK_DEPTH_SNAPSHOT_EVENT, LOCAL_BID_DEPTH_EVENT,
        LOCAL_BID_DEPTH_SNAPSHOT_EVENT, LOCAL_BUY_TRADE_EVENT,
    };

    use super::*;

    fn event(ev: u64, px: f64, time: i64) -> Event {
        Event {
            ev,
            exch_ts: time,
            local_ts: time,
            order_id: 0,
            px,
            qty: 1.0,
            ival: 0,
            fval: 0.0,
        }
    }

    #[test]
    fn a_second_bot_gets_the_book_and_the_first_gets_none() {
        let mut books = Books::default();
        assert!(books.register("btcusdt", 0.5, 0.001).is_empty());
        books.fuse("btcusdt", event(LOCAL_BID_DEPTH_EVENT, 100.0, 1));
        books.fuse("btcusdt", event(LOCAL_ASK_DEPTH_EVENT, 100.5, 1));
        let snapshot = books.register("btcusdt", 0.5, 0.001);
        let best = |ev| {
            snapshot
                .iter()
                .find(|event| event.is(ev))
                .map(|event| event.px)
        };
        assert_eq!(best(LOCAL_BID_DEPTH_SNAPSHOT_EVENT), Some(100.0));
        assert_eq!(best(LOCAL_ASK_DEPTH_SNAPSHOT_EVENT), Some(100.5));
    }

    #[test]
    fn depth_of_a_symbol_that_nobody_registered_is_not_published() {
        let mut books = Books::default();
        books.register("BTCUSDT", 0.1, 0.001);
        assert!(
            books
                .fuse("btcusdt", event(LOCAL_BID_DEPTH_EVENT, 100.0, 1))
                .is_empty()
        );
    }

    #[test]
    fn trades_pass_through() {
        let mut books = Books::default();
        assert_eq!(
            books
                .fuse("btcusdt", event(LOCAL_BUY_TRADE_EVENT, 100.0, 1))
                .len(),
            1
        );
    }
}
