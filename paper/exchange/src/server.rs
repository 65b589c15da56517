//! Accepts connections and sends each to the websocket or to the REST side.

use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::{
    control,
    http::{self, Head, Status},
    state::Exchange,
    websocket,
};

const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// Rest after a failed accept (out of descriptors), which would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves for ever.
pub async fn run(listener: TcpListener, exchange: Arc<Exchange>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let exchange = Arc::clone(&exchange);
                // A client that goes wrong only ends its own connection.
                tokio::spawn(async move { serve(stream, exchange).await.ok() });
            }
            Err(error) => {
                eprintln!("accept: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(mut stream: TcpStream, exchange: Arc<Exchange>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Head { request, rest } = timeout(HEAD_LIMIT, http::read_head(&mut stream)).await??;
    let response = match &request.websocket_key {
        Some(_) if exchange.refuse.load(Relaxed) => {
            control::failure(Status::Unavailable, -1008, "refused on request")
        }
        Some(key) if request.path == "/ws" => {
            return websocket::serve(stream, key, rest, exchange).await;
        }
        None if request.path == "/ws" => {
            control::failure(Status::BadRequest, -1000, "this path is a websocket")
        }
        _ => control::respond(&exchange, &request),
    };
    response.write(&mut stream).await
}
