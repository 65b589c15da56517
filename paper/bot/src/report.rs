//! What to say about one connector's market data.

/// Nanoseconds between two `tick` lines.
const PERIOD: u128 = 1_000_000_000;

/// Best bid and ask; NaN while unknown.
#[derive(Clone, Copy, Debug)]
pub struct Quote {
    pub bid: f64,
    pub ask: f64,
}

#[derive(Debug)]
pub struct Reporter {
    connector: String,
    symbol: String,
    /// Decimals of a price.
    precision: usize,
    /// Exchange and local time of the newest event, which tells new data from old.
    newest: Option<(i64, i64)>,
    /// Data seen, one for each change of `newest`.
    count: u64,
    spoke_at: Option<u128>,
}

impl Reporter {
    pub fn new(connector: &str, symbol: &str, precision: usize) -> Self {
        Self {
            connector: connector.to_owned(),
            symbol: symbol.to_owned(),
            precision,
            newest: None,
            count: 0,
            spoke_at: None,
        }
    }

    /// Takes what the bot knows at `now` (nanoseconds since the epoch); returns the line to print, if any.
    pub fn observe(&mut self, feed: (i64, i64), quote: Quote, now: u128) -> Option<String> {
        if self.newest.replace(feed) == Some(feed) {
            return None;
        }
        self.count += 1;
        let Quote { bid, ask } = quote;
        if !bid.is_finite() || !ask.is_finite() {
            return None;
        }
        let Self {
            connector,
            symbol,
            precision,
            ..
        } = self;
        let subject = format!("{connector} {symbol} bid={bid:.precision$} ask={ask:.precision$}");
        let line = match self.spoke_at {
            None => format!("first tick {subject} at={now}"),
            Some(spoke_at) if now.saturating_sub(spoke_at) >= PERIOD => {
                format!("tick {subject} count={} at={now}", self.count)
            }
            Some(_) => return None,
        };
        self.spoke_at = Some(now);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTE: Quote = Quote { bid: 1.5, ask: 2.0 };

    #[test]
    fn the_first_tick_needs_both_sides() {
        let mut reporter = Reporter::new("bf", "btcusdt", 1);
        let half = Quote {
            bid: 1.5,
            ask: f64::NAN,
        };
        assert_eq!(reporter.observe((1, 1), half, 10), None);
        assert_eq!(
            reporter.observe((2, 2), QUOTE, 20).as_deref(),
            Some("first tick bf btcusdt bid=1.5 ask=2.0 at=20")
        );
    }

    #[test]
    fn later_ticks_are_counted_and_told_once_a_second() {
        let mut reporter = Reporter::new("bf", "btcusdt", 1);
        reporter.observe((1, 1), QUOTE, 0);
        assert_eq!(reporter.observe((2, 2), QUOTE, PERIOD - 1), None);
        assert_eq!(
            reporter.observe((3, 3), QUOTE, PERIOD).as_deref(),
            Some("tick bf btcusdt bid=1.5 ask=2.0 count=3 at=1000000000")
        );
    }

    #[test]
    fn a_blind_bot_is_silent() {
        let mut reporter = Reporter::new("bf", "btcusdt", 1);
        reporter.observe((1, 1), QUOTE, 0);
        assert_eq!(reporter.observe((1, 1), QUOTE, 5 * PERIOD), None);
    }
}
