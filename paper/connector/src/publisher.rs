//! To the bots: the thread that owns the sending port.

use hftbacktest::{
    live::ipc::{
        TO_ALL,
        iceoryx::{ChannelError, IceoryxBuilder, IceoryxSender},
    },
    types::{Event, LiveEvent},
};
use tokio::{
    runtime, select,
    sync::{
        Notify,
        mpsc::{self, UnboundedReceiver, UnboundedSender},
    },
};

use crate::book::Books;

/// What the other threads want the bots to hear.
#[derive(Debug)]
pub enum Outgoing {
    /// A bot has asked for a symbol; prices are in ticks of this size.
    Register {
        bot: u64,
        symbol: String,
        tick_size: f64,
        lot_size: f64,
    },
    /// Market events of one message, to be taken by the bots as one.
    Batch { symbol: String, events: Vec<Event> },
    /// One event for all bots.
    Event(LiveEvent),
}

/// The way to the publisher.
#[derive(Clone, Debug)]
pub struct Queue(UnboundedSender<Outgoing>);

/// The way to the publisher, and its end there.
pub fn queue() -> (Queue, UnboundedReceiver<Outgoing>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Queue(sender), receiver)
}

impl Queue {
    /// Panics when the publisher has left, which ends the process: upstream's manner.
    pub fn put(&self, message: Outgoing) {
        self.0.send(message).expect("the publisher thread runs");
    }
}

/// Publishes until it is notified; a notification while it is busy is lost, as upstream.
pub fn run(
    name: &str,
    queue: UnboundedReceiver<Outgoing>,
    shutdown: &Notify,
) -> Result<(), ChannelError> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ChannelError::BuildError(error.to_string()))?
        .block_on(publish(name, queue, shutdown))
}

async fn publish(
    name: &str,
    mut queue: UnboundedReceiver<Outgoing>,
    shutdown: &Notify,
) -> Result<(), ChannelError> {
    let bots: IceoryxSender<LiveEvent> = IceoryxBuilder::new(name).bot(false).sender()?;
    let mut books = Books::default();
    loop {
        select! {
            () = shutdown.notified() => return Ok(()),
            Some(message) = queue.recv() => send(&bots, &mut books, message)?,
        }
    }
}

fn send(
    bots: &IceoryxSender<LiveEvent>,
    books: &mut Books,
    message: Outgoing,
) -> Result<(), ChannelError> {
    match message {
        Outgoing::Register {
            bot,
            symbol,
            tick_size,
            lot_size,
        } => {
            let events = books.register(&symbol, tick_size, lot_size);
            send_batch(bots, bot, &symbol, events)
        }
        Outgoing::Batch { symbol, events } => {
            let events = events
                .into_iter()
                .flat_map(|event| books.fuse(&symbol, event))
                .collect();
            send_batch(bots, TO_ALL, &symbol, events)
        }
        Outgoing::Event(event) => bots.send(TO_ALL, &event),
    }
}

fn send_batch(
    bots: &IceoryxSender<LiveEvent>,
    bot: u64,
    symbol: &str,
    events: Vec<Event>,
) -> Result<(), ChannelError> {
    bots.send(bot, &LiveEvent::BatchStart)?;
    for event in events {
        let symbol = symbol.to_owned();
        bots.send(bot, &LiveEvent::Feed { symbol, event })?;
    }
    bots.send(bot, &LiveEvent::BatchEnd)
}
