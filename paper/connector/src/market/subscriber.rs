//! Which symbols the bots have asked for.

use std::collections::HashSet;

use tokio::sync::broadcast;
use tracing::error;

use crate::venue::SymbolCase;

/// Symbols that may wait for the stream.
const BACKLOG: usize = 500;

/// Passes each symbol on to the stream, once in the life of the process.
#[derive(Debug)]
pub struct Subscriber {
    case: SymbolCase,
    known: HashSet<String>,
    symbols: broadcast::Sender<String>,
}

impl Subscriber {
    pub fn new(case: SymbolCase) -> Self {
        Self {
            case,
            known: HashSet::new(),
            symbols: broadcast::channel(BACKLOG).0,
        }
    }

    /// Where the stream takes the symbols from.
    pub fn channel(&self) -> broadcast::Sender<String> {
        self.symbols.clone()
    }

    /// Subscribes a symbol that is new.
    ///
    /// Panics, which ends the process, when it is new while the stream waits for its next attempt: upstream's manner.
    pub fn register(&mut self, symbol: &str) {
        let proper = self.case.apply(symbol);
        if proper != symbol {
            // The bot knows the name it has registered, events carry the venue's: it will get no data.
            error!("The symbol {symbol} must be written {proper}.");
        }
        if self.known.insert(proper.clone()) {
            self.symbols
                .send(proper)
                .expect("the market data stream is connected");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_subscribed_once_in_the_venues_case() {
        let mut subscriber = Subscriber::new(SymbolCase::Lower);
        let mut symbols = subscriber.channel().subscribe();
        subscriber.register("btcusdt");
        subscriber.register("BTCUSDT");
        assert_eq!(symbols.try_recv(), Ok("btcusdt".to_owned()));
        assert!(symbols.try_recv().is_err());
    }

    #[test]
    fn a_known_symbol_needs_no_stream() {
        let mut subscriber = Subscriber::new(SymbolCase::Upper);
        let symbols = subscriber.channel().subscribe();
        subscriber.register("BTCUSDT");
        drop(symbols);
        subscriber.register("BTCUSDT");
    }

    #[test]
    #[should_panic(expected = "the market data stream is connected")]
    fn a_new_symbol_without_a_stream_is_the_end() {
        Subscriber::new(SymbolCase::Lower).register("btcusdt");
    }
}
