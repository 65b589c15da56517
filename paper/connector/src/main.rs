//! A market data connector that looks from outside like HftBacktest's `connector`
//! (nkaz001/hftbacktest, crate `connector` at 5f3ec40), written anew and much smaller.
//!
//! The same: argv `NAME TYPE CONFIG`, the cargo features `binancefutures`, `binancespot`, `bybit`, the TOML keys, the
//! channel `NAME/ToBot` and `NAME/FromBot`, `RUST_LOG`, the reconnect without a new subscription, and the way it stops:
//! the main thread polls in `node.wait(1 us)` and leaves when a signal interrupts that sleep, which a single one
//! seldom does.
//!
//! Not the same: all three types read the public stream of Binance USD-M futures without TLS, as the paper `exchange`
//! serves it; there is no user stream and no order entry, orders come back as expired; any subset of the features
//! compiles; a broken configuration file is not printed.

mod book;
mod endpoint;
mod market;
mod publisher;
mod receiver;
mod signals;
mod venue;

use std::{env, fs, panic, process::exit, sync::Arc, thread};

use tokio::{runtime, sync::Notify};
use tracing::error;

use crate::market::Subscriber;

const USAGE: &str = "usage: connector NAME TYPE CONFIG

  NAME    name of the channel to the bots
  TYPE    binancefutures, binancespot or bybit, as compiled in
  CONFIG  path of the TOML file";

fn main() {
    exit_when_any_thread_panics();
    let arguments: Vec<_> = env::args().skip(1).collect();
    if arguments == ["--help"] {
        println!("{USAGE}");
        return;
    }
    let Ok([name, kind, path]) = <[String; 3]>::try_from(arguments) else {
        eprintln!("{USAGE}");
        exit(2);
    };
    tracing_subscriber::fmt::init();

    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads and an epoll descriptor for the runtime");
    let shutdown = Arc::new(Notify::new());
    runtime.spawn(signals::notify_once(Arc::clone(&shutdown)));

    let venue = open_venue(&kind, &path);
    let (outgoing, queue) = publisher::queue();
    let mut subscriber = Subscriber::new(venue.case);
    runtime.spawn(market::run(venue, subscriber.channel(), outgoing.clone()));

    let publisher = {
        let name = name.clone();
        thread::spawn(move || {
            if let Err(error) = publisher::run(&name, queue, &shutdown) {
                error!(
                    ?error,
                    "An error occurred while sending a live event to the bots."
                );
                exit(1);
            }
        })
    };
    if let Err(error) = receiver::run(&name, &mut subscriber, &outgoing) {
        error!(
            ?error,
            "An error occurred while receiving a request from the bots."
        );
        exit(1);
    }
    let _ = publisher.join();
}

/// No thread may die alone: a panic in any of them ends the process with code 1.
fn exit_when_any_thread_panics() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        report(panic);
        exit(1);
    }));
}

/// The venue of this type and file; ends the process with code 1 when there is none.
fn open_venue(kind: &str, path: &str) -> venue::Venue {
    let text = fs::read_to_string(path).unwrap_or_else(|error| {
        error!(
            ?error,
            config = path,
            "An error occurred while reading the configuration file."
        );
        exit(1);
    });
    match venue::open(kind, &text) {
        Some(Ok(venue)) => venue,
        Some(Err(error)) => {
            error!(%error, "Couldn't build the {kind} connector.");
            exit(1);
        }
        None => {
            error!(connector = kind, "This connector doesn't exist.");
            exit(1);
        }
    }
}
