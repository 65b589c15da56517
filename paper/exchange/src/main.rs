//! A paper exchange: Binance USD-M futures' public market data on loopback, with invented prices.
//!
//! One port of 127.0.0.1 serves
//! - the websocket stream at `/ws` (`SUBSCRIBE`, `UNSUBSCRIBE`; `SYMBOL@depth@0ms`, `SYMBOL@trade`), pinged every 10 s,
//! - the depth snapshot at `GET /fapi/v1/depth?symbol=SYMBOL&limit=N`,
//! - faults on request: `POST /control/drop`, `/control/silent?on=1|0`, `/control/refuse?on=1|0`, and
//!   `GET /control/status`.
//!
//! It never reaches out, and it knows no accounts and no orders.

mod arguments;
mod book;
mod control;
mod http;
mod messages;
mod prices;
mod server;
mod state;
mod subscriptions;
mod websocket;

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
};

use tokio::{
    net::TcpListener,
    runtime,
    signal::unix::{SignalKind, signal},
};

use crate::{arguments::Arguments, state::Exchange};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    let outcome = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until SIGTERM or SIGINT; whatever is open then is cut.
async fn run(arguments: &Arguments) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
    announce(listener.local_addr()?)?;

    let exchange = Arc::new(Exchange::default());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = prices::run(Arc::clone(&exchange), arguments.interval()) => {}
        () = server::run(listener, exchange) => {}
    }
    Ok(())
}

fn announce(address: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on {address}")?;
    stdout.flush()
}
