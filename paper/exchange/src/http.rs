//! As much of HTTP/1.1 as one request per connection needs.

use std::{collections::HashMap, io};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// The head of a request; a body is never read.
#[derive(Debug, Default, PartialEq)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: HashMap<String, String>,
    /// `Sec-WebSocket-Key`, when the request asks for a websocket.
    pub websocket_key: Option<String>,
}

/// A parsed head and the bytes that came after it.
#[derive(Debug, PartialEq)]
pub struct Head {
    pub request: Request,
    pub rest: Vec<u8>,
}

/// Reads one request head.
///
/// Errors: `InvalidData` for what is not HTTP, `UnexpectedEof` when the client leaves early.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Head> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(head) = parse(&bytes)? {
            return Ok(head);
        }
        if bytes.len() > MAX_HEAD {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "request head too large",
            ));
        }
    }
}

/// `None` while the head is not complete.
fn parse(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let status = request
        .parse(bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let httparse::Status::Complete(length) = status else {
        return Ok(None);
    };
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |name: &str| {
        request
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let upgrades = header("Upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    Ok(Some(Head {
        request: Request {
            method: request.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            websocket_key: header("Sec-WebSocket-Key")
                .filter(|_| upgrades)
                .map(ToOwned::to_owned),
        },
        rest: bytes[length..].to_vec(),
    }))
}

/// An answer with a JSON body; the connection closes after it.
#[derive(Debug, PartialEq)]
pub struct Response {
    pub status: Status,
    pub body: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    Unavailable,
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

impl Response {
    pub async fn write(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let text = format!(
            "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
            self.status.line(),
            self.body.len(),
            self.body
        );
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query_are_told_apart() {
        let head =
            parse(b"GET /fapi/v1/depth?symbol=BTCUSDT&limit=1000 HTTP/1.1\r\nHost: x\r\n\r\nrest")
                .expect("HTTP")
                .expect("complete");
        assert_eq!(head.request.path, "/fapi/v1/depth");
        assert_eq!(head.request.query["symbol"], "BTCUSDT");
        assert_eq!(head.request.query["limit"], "1000");
        assert_eq!(head.request.websocket_key, None);
        assert_eq!(head.rest, b"rest");
    }

    #[test]
    fn a_websocket_request_brings_its_key() {
        let head = parse(
            b"GET /ws HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\nsec-websocket-key: abc=\r\n\r\n",
        )
        .expect("HTTP")
        .expect("complete");
        assert_eq!(head.request.websocket_key.as_deref(), Some("abc="));
    }

    #[test]
    fn half_a_head_is_not_an_error_and_garbage_is() {
        assert_eq!(parse(b"GET /ws HT").expect("not wrong yet"), None);
        assert!(parse(b"\0\x01garbage\r\n\r\n").is_err());
    }
}
