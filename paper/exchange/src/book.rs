//! An invented order book: a random walk of the middle price, in whole ticks and lots.

use std::collections::BTreeMap;

/// Levels on each side.
pub const DEPTH: i64 = 20;
/// One tick is 0.1, one lot is 0.001 (as BTCUSDT on Binance USD-M futures).
const TICKS_PER_UNIT: i64 = 10;
const LOTS_PER_UNIT: u64 = 1000;
const OPENING_TICK: i64 = 600_000;

type Side = BTreeMap<i64, u64>;

/// Price in ticks and quantity in lots; quantity 0 removes the level.
pub type Level = (i64, u64);

/// One `depthUpdate`, with Binance's three update ids.
#[derive(Debug, PartialEq)]
pub struct Update {
    pub first_id: u64,
    pub last_id: u64,
    pub previous_id: u64,
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
}

#[derive(Debug, PartialEq)]
pub struct Trade {
    pub id: u64,
    pub level: Level,
    pub buyer_is_maker: bool,
}

#[derive(Debug)]
pub struct Book {
    middle: i64,
    bids: Side,
    asks: Side,
    last_id: u64,
    trades: u64,
    noise: Noise,
}

impl Book {
    /// A full book around the opening price; the same symbol always walks the same way.
    pub fn new(symbol: &str) -> Self {
        let mut book = Self {
            middle: OPENING_TICK,
            bids: Side::new(),
            asks: Side::new(),
            last_id: 0,
            trades: 0,
            noise: Noise::from_name(symbol),
        };
        book.step();
        book
    }

    pub fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Moves the book by one step. The update always holds both best levels.
    pub fn step(&mut self) -> Update {
        self.middle = (self.middle + self.noise.below(3) as i64 - 1).max(10 * DEPTH);
        let bids = replace(
            &mut self.bids,
            (1..=DEPTH).map(|d| self.middle - d),
            &mut self.noise,
        );
        let asks = replace(
            &mut self.asks,
            (1..=DEPTH).map(|d| self.middle + d),
            &mut self.noise,
        );
        let previous_id = self.last_id;
        self.last_id += (bids.len() + asks.len()) as u64;
        Update {
            first_id: previous_id + 1,
            last_id: self.last_id,
            previous_id,
            bids,
            asks,
        }
    }

    /// A trade of one to ten lots at one of the best prices; the book is not changed by it.
    pub fn trade(&mut self) -> Trade {
        self.trades += 1;
        let buyer_is_maker = self.noise.below(2) == 0;
        let tick = self.middle + if buyer_is_maker { -1 } else { 1 };
        Trade {
            id: self.trades,
            level: (tick, 1 + self.noise.below(10)),
            buyer_is_maker,
        }
    }

    /// The best `limit` bids, best first.
    pub fn bids(&self, limit: usize) -> Vec<Level> {
        self.bids
            .iter()
            .rev()
            .take(limit)
            .map(|(&tick, &lots)| (tick, lots))
            .collect()
    }

    /// The best `limit` asks, best first.
    pub fn asks(&self, limit: usize) -> Vec<Level> {
        self.asks
            .iter()
            .take(limit)
            .map(|(&tick, &lots)| (tick, lots))
            .collect()
    }
}

/// Makes `side` hold exactly `ticks`, best first, and returns what changed.
fn replace(side: &mut Side, ticks: impl Iterator<Item = i64>, noise: &mut Noise) -> Vec<Level> {
    let mut next = Side::new();
    let mut changes = Vec::new();
    for (position, tick) in ticks.enumerate() {
        let lots = match side.remove(&tick) {
            Some(lots) if position > 0 => lots,
            _ => {
                let lots = 1 + noise.below(5000);
                changes.push((tick, lots));
                lots
            }
        };
        next.insert(tick, lots);
    }
    changes.extend(side.keys().map(|&tick| (tick, 0)));
    *side = next;
    changes
}

/// A level as Binance writes it: price and quantity as decimal strings.
pub fn decimals((tick, lots): Level) -> (String, String) {
    (
        format!("{}.{}", tick / TICKS_PER_UNIT, tick % TICKS_PER_UNIT),
        format!("{}.{:03}", lots / LOTS_PER_UNIT, lots % LOTS_PER_UNIT),
    )
}

/// SplitMix64 (Steele, Lea, Flood 2014): a few lines that need no crate.
#[derive(Debug)]
struct Noise(u64);

impl Noise {
    fn from_name(name: &str) -> Self {
        Self(
            name.bytes()
                .fold(0, |seed: u64, byte| seed.rotate_left(8) ^ u64::from(byte)),
        )
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(side: &mut Side, changes: &[Level]) {
        for &(tick, lots) in changes {
            if lots == 0 {
                assert!(side.remove(&tick).is_some(), "removes a level that exists");
            } else {
                side.insert(tick, lots);
            }
        }
    }

    #[test]
    fn updates_applied_to_a_snapshot_give_the_book() {
        let mut book = Book::new("BTCUSDT");
        let mut bids: Side = book.bids(usize::MAX).into_iter().collect();
        let mut asks: Side = book.asks(usize::MAX).into_iter().collect();
        let mut last_id = book.last_id();
        for _ in 0..1000 {
            let update = book.step();
            assert_eq!(update.previous_id, last_id);
            assert_eq!(update.first_id, last_id + 1);
            last_id = update.last_id;
            apply(&mut bids, &update.bids);
            apply(&mut asks, &update.asks);
            assert_eq!(bids, book.bids);
            assert_eq!(asks, book.asks);
        }
    }

    #[test]
    fn every_update_holds_both_best_levels_and_never_crosses() {
        let mut book = Book::new("ETHUSDT");
        for _ in 0..1000 {
            let update = book.step();
            let (best_bid, best_ask) = (book.bids(1)[0], book.asks(1)[0]);
            assert!(update.bids.contains(&best_bid));
            assert!(update.asks.contains(&best_ask));
            assert!(best_bid.0 < best_ask.0);
        }
    }

    #[test]
    fn trades_are_at_a_best_price_and_numbered() {
        let mut book = Book::new("BTCUSDT");
        for id in 1..100 {
            let trade = book.trade();
            let best = if trade.buyer_is_maker {
                book.bids(1)[0]
            } else {
                book.asks(1)[0]
            };
            assert_eq!((trade.id, trade.level.0), (id, best.0));
        }
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(
            decimals((600_001, 1002)),
            ("60000.1".into(), "1.002".into())
        );
        assert_eq!(decimals((5, 0)), ("0.5".into(), "0.000".into()));
    }
}
