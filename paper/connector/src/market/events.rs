//! From Binance's messages to HftBacktest's events.

use std::num::ParseFloatError;

use hftbacktest::types::{
    Event, LOCAL_ASK_DEPTH_EVENT, LOCAL_BID_DEPTH_EVENT, LOCAL_BUY_TRADE_EVENT,
    LOCAL_SELL_TRADE_EVENT,
};

use super::messages::{Level, Trade};

const NANOSECONDS_PER_MILLISECOND: i64 = 1_000_000;

/// When something happened at the exchange (milliseconds) and when it came here (nanoseconds), both since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub exchange_ms: i64,
    pub local_ns: i64,
}

/// One event for each level, bids first.
pub fn of_depth(
    bids: &[Level],
    asks: &[Level],
    times: Times,
) -> Result<Vec<Event>, ParseFloatError> {
    let bids = bids.iter().map(|level| (LOCAL_BID_DEPTH_EVENT, level));
    let asks = asks.iter().map(|level| (LOCAL_ASK_DEPTH_EVENT, level));
    bids.chain(asks)
        .map(|(ev, (price, quantity))| event(ev, price, quantity, times))
        .collect()
}

/// `None` for a trade that was not on the market (insurance fund, ADL).
pub fn of_trade(trade: &Trade, local_ns: i64) -> Result<Option<Event>, ParseFloatError> {
    if trade.order_type != "MARKET" {
        return Ok(None);
    }
    let ev = if trade.buyer_is_maker {
        LOCAL_SELL_TRADE_EVENT
    } else {
        LOCAL_BUY_TRADE_EVENT
    };
    let times = Times {
        exchange_ms: trade.time,
        local_ns,
    };
    event(ev, &trade.price, &trade.quantity, times).map(Some)
}

fn event(ev: u64, price: &str, quantity: &str, times: Times) -> Result<Event, ParseFloatError> {
    Ok(Event {
        ev,
        exch_ts: times
            .exchange_ms
            .saturating_mul(NANOSECONDS_PER_MILLISECOND),
        local_ts: times.local_ns,
        order_id: 0,
        px: price.parse()?,
        qty: quantity.parse()?,
        ival: 0,
        fval: 0.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(order_type: &str, buyer_is_maker: bool) -> Trade {
        Trade {
            time: 5,
            symbol: "BTCUSDT".into(),
            price: "100.5".into(),
            quantity: "0.25".into(),
            order_type: order_type.into(),
            buyer_is_maker,
        }
    }

    #[test]
    fn levels_become_events_in_nanoseconds() {
        let times = Times {
            exchange_ms: 5,
            local_ns: 7,
        };
        let level = |price: &str| (price.to_owned(), "2".to_owned());
        let events = of_depth(&[level("1.5")], &[level("1.6")], times).expect("numbers");
        assert!(events[0].is(LOCAL_BID_DEPTH_EVENT) && events[1].is(LOCAL_ASK_DEPTH_EVENT));
        assert_eq!((events[0].px, events[1].px), (1.5, 1.6));
        assert_eq!((events[0].exch_ts, events[0].local_ts), (5_000_000, 7));
        assert!(of_depth(&[level("cheap")], &[], times).is_err());
    }

    #[test]
    fn the_taker_gives_a_trade_its_side() {
        let side = |maker| of_trade(&trade("MARKET", maker), 7).expect("numbers");
        assert!(side(true).is_some_and(|event| event.is(LOCAL_SELL_TRADE_EVENT)));
        assert!(side(false).is_some_and(|event| event.is(LOCAL_BUY_TRADE_EVENT)));
    }

    #[test]
    fn trades_off_the_market_are_left_out() {
        assert!(
            of_trade(&trade("INSURANCE_FUND", true), 7)
                .expect("numbers")
                .is_none()
        );
    }
}
