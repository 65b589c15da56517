//! The one signal that is heard.

use std::sync::Arc;

use tokio::{
    select,
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

/// Waits for the first SIGINT or SIGTERM and wakes the publisher, if it is waiting right then.
///
/// Nobody tells the main thread: only its interrupted sleep does.
pub async fn notify_once(shutdown: Arc<Notify>) {
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be handled");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be handled");
    select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shutdown.notify_waiters();
}
