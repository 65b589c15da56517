//! What all connections of the exchange share.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::{
    book::Book,
    messages,
    subscriptions::{Kind, Stream},
};

/// Symbols that may be asked for; more are unknown to the exchange.
const MAX_SYMBOLS: usize = 1000;
/// Events a slow client may fall behind before it loses the oldest.
const EVENT_BACKLOG: usize = 4096;
/// One trade follows so many depth updates.
const UPDATES_PER_TRADE: u64 = 4;

/// A market event, ready to be sent to whoever subscribed to its stream.
#[derive(Clone, Debug)]
pub struct MarketEvent {
    pub stream: Stream,
    pub text: Utf8Bytes,
}

pub struct Exchange {
    books: Mutex<BTreeMap<String, Book>>,
    pub events: broadcast::Sender<MarketEvent>,
    /// Tells all websocket sessions to close.
    pub drops: broadcast::Sender<()>,
    pub silent: AtomicBool,
    pub refuse: AtomicBool,
    pub websockets: AtomicUsize,
    steps: AtomicU64,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            books: Mutex::default(),
            events: broadcast::channel(EVENT_BACKLOG).0,
            drops: broadcast::channel(1).0,
            silent: AtomicBool::new(false),
            refuse: AtomicBool::new(false),
            websockets: AtomicUsize::new(0),
            steps: AtomicU64::new(0),
        }
    }
}

impl Exchange {
    /// Starts to trade a symbol, when it is new; false when the exchange is full.
    pub fn list(&self, symbol: &str) -> bool {
        self.with_book(symbol, |_| ()).is_some()
    }

    /// Names of all traded symbols.
    pub fn symbols(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// The depth snapshot as JSON; `None` when the exchange is full.
    pub fn snapshot(&self, symbol: &str, limit: usize) -> Option<String> {
        self.with_book(symbol, |book| messages::snapshot(book, limit, now()))
    }

    /// Moves every book by one step and tells all sessions.
    pub fn step(&self) {
        if self.silent.load(Relaxed) || self.events.receiver_count() == 0 {
            return;
        }
        let with_trade = self
            .steps
            .fetch_add(1, Relaxed)
            .is_multiple_of(UPDATES_PER_TRADE);
        for (symbol, book) in self.lock().iter_mut() {
            let update = messages::depth_update(symbol, book.step(), now());
            self.tell(symbol, Kind::Depth, update);
            if with_trade {
                let trade = messages::trade(symbol, &book.trade(), now());
                self.tell(symbol, Kind::Trade, trade);
            }
        }
    }

    fn tell(&self, symbol: &str, kind: Kind, text: String) {
        let stream = Stream {
            symbol: symbol.to_owned(),
            kind,
        };
        // An error means that the last session has just left.
        let _ = self.events.send(MarketEvent {
            stream,
            text: text.into(),
        });
    }

    fn with_book<T>(&self, symbol: &str, use_book: impl FnOnce(&Book) -> T) -> Option<T> {
        let mut books = self.lock();
        if !books.contains_key(symbol) && books.len() >= MAX_SYMBOLS {
            return None;
        }
        Some(use_book(
            books
                .entry(symbol.to_owned())
                .or_insert_with(|| Book::new(symbol)),
        ))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Book>> {
        self.books.lock().expect("no holder of the books panics")
    }
}

/// Milliseconds since the epoch.
fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| elapsed.as_millis() as u64)
}
