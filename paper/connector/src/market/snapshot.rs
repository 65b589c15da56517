//! The depth snapshot over REST: one plain HTTP request.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::messages::Snapshot;
use crate::endpoint::Endpoint;

const LEVELS: u32 = 1000;
const LIMIT: Duration = Duration::from_secs(10);
const MAX_ANSWER: u64 = 4 * 1024 * 1024;

/// Gets a symbol's book, best 1000 levels.
///
/// Errors: those of the connection, `TimedOut` after 10 s, `InvalidData` for an answer that is no snapshot.
pub async fn get(api: &Endpoint, symbol: &str) -> io::Result<Snapshot> {
    let answer = timeout(LIMIT, exchange(api, symbol)).await??;
    let body = body(&answer)?;
    serde_json::from_slice(body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

async fn exchange(api: &Endpoint, symbol: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((api.host.as_str(), api.port)).await?;
    // HTTP/1.0: the answer comes in one piece and ends with the connection.
    let request = format!(
        "GET {}/fapi/v1/depth?symbol={symbol}&limit={LEVELS} HTTP/1.0\r\nHost: {}\r\n\r\n",
        api.path,
        api.authority()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// The body of an answer whose status is 200.
fn body(answer: &[u8]) -> io::Result<&[u8]> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let end = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .ok_or_else(|| wrong("the answer has no head"))?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let line = head.lines().next().unwrap_or_default();
    if line.split(' ').nth(1) != Some("200") {
        return Err(wrong(line));
    }
    Ok(&answer[end + 4..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_a_good_answer_is_found() {
        assert_eq!(
            body(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").expect("good"),
            b"{}"
        );
    }

    #[test]
    fn a_bad_status_is_the_error() {
        let error = body(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").expect_err("bad");
        assert_eq!(error.to_string(), "HTTP/1.1 503 Service Unavailable");
        assert!(body(b"").is_err());
    }
}
