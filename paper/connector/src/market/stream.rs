//! One life of the websocket connection.

use std::{
    collections::HashSet,
    future::pending,
    io,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt, StreamExt};
use hftbacktest::types::LiveEvent;
use tokio::{
    net::TcpStream,
    select,
    sync::{
        broadcast::{self, error::RecvError},
        mpsc,
    },
    time::interval,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message},
};
use tracing::{debug, error, warn};

use super::{
    events::{self, Times},
    messages::{self, Incoming, MarketMessage, Snapshot},
    snapshot,
};
use crate::{
    publisher::{Outgoing, Queue},
    venue::Venue,
};

const PING_CHECK: Duration = Duration::from_secs(10);
/// The exchange must ping at least so often.
const PING_LIMIT: Duration = Duration::from_secs(300);

/// A symbol and its snapshot.
type Fetched = (String, Snapshot);

pub struct MarketStream<'a> {
    venue: &'a Venue,
    outgoing: &'a Queue,
    symbols: broadcast::Receiver<String>,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_ping: Instant,
    requests: u64,
    /// Symbols that have had a depth update on this connection.
    seen: HashSet<String>,
    snapshots: mpsc::UnboundedReceiver<Fetched>,
    fetched: mpsc::UnboundedSender<Fetched>,
}

impl<'a> MarketStream<'a> {
    pub async fn connect(
        venue: &'a Venue,
        symbols: broadcast::Receiver<String>,
        outgoing: &'a Queue,
    ) -> Result<Self, tungstenite::Error> {
        let (socket, _) = connect_async(venue.stream_url.as_str()).await?;
        let (fetched, snapshots) = mpsc::unbounded_channel();
        Ok(Self {
            venue,
            outgoing,
            symbols,
            socket,
            last_ping: Instant::now(),
            requests: 0,
            seen: HashSet::new(),
            snapshots,
            fetched,
        })
    }

    /// Serves the connection until it breaks; returns why.
    pub async fn run(mut self) -> tungstenite::Error {
        let mut ping_check = interval(PING_CHECK);
        loop {
            let step = select! {
                Some((symbol, snapshot)) = self.snapshots.recv() => {
                    self.take_snapshot(symbol, &snapshot);
                    Ok(())
                }
                _ = ping_check.tick() => self.check_ping(),
                symbol = next_symbol(&mut self.symbols) => self.subscribe(&symbol).await,
                message = self.socket.next() => match message {
                    Some(Ok(message)) => self.take(message).await,
                    Some(Err(error)) => Err(error),
                    None => Err(tungstenite::Error::ConnectionClosed),
                },
            };
            if let Err(error) = step {
                return error;
            }
        }
    }

    fn check_ping(&self) -> Result<(), tungstenite::Error> {
        if self.last_ping.elapsed() > PING_LIMIT {
            warn!("Ping timeout.");
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        Ok(())
    }

    async fn subscribe(&mut self, symbol: &str) -> Result<(), tungstenite::Error> {
        self.requests += 1;
        let request = messages::subscribe(symbol, self.requests);
        self.socket.send(Message::Text(request.into())).await
    }

    async fn take(&mut self, message: Message) -> Result<(), tungstenite::Error> {
        match message {
            Message::Text(text) => {
                match serde_json::from_str(&text) {
                    Ok(Incoming::Market(message)) => self.take_market(message),
                    Ok(answer @ Incoming::Answer { .. }) => {
                        debug!(?answer, "Subscription request response is received.");
                    }
                    Ok(refusal @ Incoming::Error { .. }) => {
                        error!(?refusal, "The exchange refused a request.");
                    }
                    Err(error) => error!(?error, %text, "Couldn't parse Stream."),
                }
                Ok(())
            }
            Message::Ping(_) => {
                self.last_ping = Instant::now();
                // tungstenite has queued the pong; it goes out here, not with the next message.
                self.socket.flush().await
            }
            Message::Close(_) => Err(tungstenite::Error::ConnectionClosed),
            Message::Binary(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    fn take_market(&mut self, message: MarketMessage) {
        match message {
            MarketMessage::Depth(depth) => {
                let symbol = self.venue.case.apply(&depth.symbol);
                if self.seen.insert(symbol.clone()) {
                    self.request_snapshot(symbol.clone());
                }
                let times = arrived(depth.time);
                match events::of_depth(&depth.bids, &depth.asks, times) {
                    Ok(events) => self.outgoing.put(Outgoing::Batch { symbol, events }),
                    Err(error) => error!(?error, "Couldn't parse DepthUpdate stream."),
                }
            }
            MarketMessage::Trade(trade) => {
                let symbol = self.venue.case.apply(&trade.symbol);
                match events::of_trade(&trade, arrived(trade.time).local_ns) {
                    Ok(Some(event)) => {
                        let event = LiveEvent::Feed { symbol, event };
                        self.outgoing.put(Outgoing::Event(event));
                    }
                    Ok(None) => {}
                    Err(error) => error!(?error, "Couldn't parse trade stream."),
                }
            }
        }
    }

    fn request_snapshot(&self, symbol: String) {
        let api = self.venue.api.clone();
        let fetched = self.fetched.clone();
        tokio::spawn(async move {
            match snapshot::get(&api, &symbol).await {
                // An error means that the connection has broken meanwhile.
                Ok(snapshot) => drop(fetched.send((symbol, snapshot))),
                Err(error) => {
                    error!(?error, %symbol, "Couldn't get the market depth via REST.");
                }
            }
        });
    }

    fn take_snapshot(&self, symbol: String, snapshot: &Snapshot) {
        let times = arrived(snapshot.time);
        match events::of_depth(&snapshot.bids, &snapshot.asks, times) {
            Ok(events) => self.outgoing.put(Outgoing::Batch { symbol, events }),
            Err(error) => error!(?error, "Couldn't parse Depth response."),
        }
    }
}

async fn next_symbol(symbols: &mut broadcast::Receiver<String>) -> String {
    loop {
        match symbols.recv().await {
            Ok(symbol) => return symbol,
            Err(RecvError::Lagged(missed)) => {
                error!("{missed} subscription requests were missed.");
            }
            Err(RecvError::Closed) => pending().await,
        }
    }
}

fn arrived(exchange_ms: i64) -> Times {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    Times {
        exchange_ms,
        local_ns: elapsed.map_or(0, |elapsed| elapsed.as_nanos() as i64),
    }
}
