//! The clock of the market.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use crate::state::Exchange;

/// Moves the market by one step each `period`, for ever.
pub async fn run(exchange: Arc<Exchange>, period: Duration) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        exchange.step();
    }
}
