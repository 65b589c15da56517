//! Market data: one websocket, connected again whenever it breaks, for ever.
//!
//! A new connection subscribes nothing that an earlier one had, so bots that were served before stay blind: the upstream
//! connector's behaviour (nkaz001/hftbacktest#210).

mod backoff;
mod events;
mod messages;
mod snapshot;
mod stream;
mod subscriber;

use std::time::Instant;

use hftbacktest::types::{ErrorKind, LiveError, LiveEvent, Value};
use tokio::{sync::broadcast, time::sleep};
use tracing::{debug, error};

pub use self::subscriber::Subscriber;
use self::{backoff::Backoff, stream::MarketStream};
use crate::{
    publisher::{Outgoing, Queue},
    venue::Venue,
};

/// Keeps a market data connection for ever; every failure is logged and told to the bots.
pub async fn run(venue: Venue, symbols: broadcast::Sender<String>, outgoing: Queue) {
    let mut backoff = Backoff::new(Instant::now());
    loop {
        // Made before the connection: symbols registered meanwhile wait in it, or are lost with it.
        let symbols = symbols.subscribe();
        debug!("Connecting to the market data stream...");
        let error = match MarketStream::connect(&venue, symbols, &outgoing).await {
            Ok(stream) => stream.run().await,
            Err(error) => error,
        };
        error!(
            ?error,
            "An error occurred in the market data stream connection."
        );
        outgoing.put(Outgoing::Event(LiveEvent::Error(LiveError::with(
            ErrorKind::ConnectionInterrupted,
            Value::String(error.to_string()),
        ))));
        sleep(backoff.next(Instant::now())).await;
    }
}
