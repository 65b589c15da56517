//! From the bots: the polling loop of the main thread.

use std::time::Duration;

use hftbacktest::{
    live::ipc::iceoryx::{ChannelError, IceoryxBuilder, IceoryxReceiver},
    types::{LiveEvent, LiveRequest, Order, Status},
};
use iceoryx2::{
    node::NodeBuilder,
    prelude::{SignalHandlingMode, ipc},
};
use tracing::error;

use crate::{
    market::Subscriber,
    publisher::{Outgoing, Queue},
};

const CYCLE: Duration = Duration::from_micros(1);

/// Serves requests until a signal interrupts the wait between two looks.
pub fn run(name: &str, subscriber: &mut Subscriber, outgoing: &Queue) -> Result<(), ChannelError> {
    let node = NodeBuilder::new()
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .create::<ipc::Service>()
        .map_err(|error| ChannelError::BuildError(error.to_string()))?;
    let requests: IceoryxReceiver<LiveRequest> = IceoryxBuilder::new(name).bot(false).receiver()?;
    while node.wait(CYCLE).is_ok() {
        while let Some((bot, request)) = requests.receive()? {
            match request {
                LiveRequest::RegisterInstrument {
                    symbol,
                    tick_size,
                    lot_size,
                } => {
                    outgoing.put(Outgoing::Register {
                        bot,
                        symbol: symbol.clone(),
                        tick_size,
                        lot_size,
                    });
                    subscriber.register(&symbol);
                }
                LiveRequest::Order { symbol, order } => refuse(symbol, order, outgoing),
            }
        }
    }
    Ok(())
}

/// Gives an order back as expired, so that a bot that waits for it goes on.
fn refuse(symbol: String, mut order: Order, outgoing: &Queue) {
    error!(%symbol, order_id = order.order_id, "The paper connector takes no orders.");
    order.req = Status::None;
    order.status = Status::Expired;
    outgoing.put(Outgoing::Event(LiveEvent::Order { symbol, order }));
}
