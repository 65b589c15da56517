//! One websocket client.

use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::broadcast::error::RecvError,
    time::{interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Bytes, Message, handshake::derive_accept_key, protocol::Role},
};

use crate::{
    messages::{self, Request},
    state::Exchange,
    subscriptions::Subscriptions,
};

const PING_PERIOD: Duration = Duration::from_secs(10);
/// A client that takes nothing for so long is cut off.
const SEND_LIMIT: Duration = Duration::from_secs(5);

/// Answers the upgrade request with this key, then serves the client until either side leaves.
pub async fn serve(
    mut stream: TcpStream,
    key: &str,
    rest: Vec<u8>,
    exchange: Arc<Exchange>,
) -> io::Result<()> {
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    let socket = WebSocketStream::from_partially_read(stream, rest, Role::Server, None).await;
    exchange.websockets.fetch_add(1, Relaxed);
    Session {
        socket,
        subscriptions: Subscriptions::default(),
    }
    .run(&exchange)
    .await;
    exchange.websockets.fetch_sub(1, Relaxed);
    Ok(())
}

struct Session {
    socket: WebSocketStream<TcpStream>,
    subscriptions: Subscriptions,
}

impl Session {
    async fn run(mut self, exchange: &Exchange) {
        let mut events = exchange.events.subscribe();
        let mut drops = exchange.drops.subscribe();
        let mut pings = interval(PING_PERIOD);
        loop {
            let message = tokio::select! {
                _ = drops.recv() => {
                    let _ = timeout(SEND_LIMIT, self.socket.close(None)).await;
                    return;
                }
                _ = pings.tick() => Some(Message::Ping(Bytes::new())),
                event = events.recv() => match event {
                    Ok(event) if self.subscriptions.contains(&event.stream) => Some(Message::Text(event.text)),
                    Ok(_) | Err(RecvError::Lagged(_)) => None,
                    Err(RecvError::Closed) => return,
                },
                message = self.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => Some(Message::Text(self.request(&text, exchange).into())),
                    Some(Err(_)) | None => return,
                    Some(Ok(_)) => None,
                },
            };
            if let Some(message) = message
                && !matches!(
                    timeout(SEND_LIMIT, self.socket.send(message)).await,
                    Ok(Ok(()))
                )
            {
                return;
            }
        }
    }

    /// Does what a client asks for; the answer is JSON.
    fn request(&mut self, text: &str, exchange: &Exchange) -> String {
        let request: Request = match serde_json::from_str(text) {
            Ok(request) => request,
            Err(error) => return messages::error(2, &format!("Invalid request: {error}")),
        };
        match self.subscriptions.apply(request.method, &request.params) {
            Ok(streams) => {
                for stream in &streams {
                    if !exchange.list(&stream.symbol) {
                        return messages::error(-1121, "Invalid symbol.");
                    }
                }
                messages::answer(&request.id)
            }
            Err(name) => messages::error(2, &format!("Invalid request: {name} is no stream")),
        }
    }
}
