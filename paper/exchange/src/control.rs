//! Faults on request, and the REST interface beside them: a request in, a response out.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::{Value, json};

use crate::{
    http::{Request, Response, Status},
    messages,
    state::Exchange,
    subscriptions::is_symbol,
};

const DEFAULT_LIMIT: usize = 500;

/// Answers everything that is not a websocket.
pub fn respond(exchange: &Exchange, request: &Request) -> Response {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/fapi/v1/depth") => depth(exchange, request),
        ("GET", "/control/status") => ok(&status(exchange)),
        ("POST", "/control/drop") => {
            let dropped = exchange.websockets.load(Relaxed);
            // An error means that there is no session to close.
            let _ = exchange.drops.send(());
            ok(&json!({"dropped": dropped}))
        }
        ("POST", "/control/silent") => switch(exchange, &exchange.silent, request),
        ("POST", "/control/refuse") => switch(exchange, &exchange.refuse, request),
        (
            _,
            "/fapi/v1/depth" | "/control/status" | "/control/drop" | "/control/silent"
            | "/control/refuse",
        ) => failure(Status::MethodNotAllowed, -1000, "wrong method"),
        _ => failure(Status::NotFound, -5000, "no such path"),
    }
}

/// An answer in Binance's error format.
pub fn failure(status: Status, code: i64, message: &str) -> Response {
    Response {
        status,
        body: messages::error(code, message),
    }
}

fn depth(exchange: &Exchange, request: &Request) -> Response {
    let symbol = request.query.get("symbol").map(|name| name.to_uppercase());
    let Some(symbol) = symbol.filter(|name| is_symbol(name)) else {
        return failure(Status::BadRequest, -1121, "Invalid symbol.");
    };
    let limit = match request.query.get("limit").map(|text| text.parse()) {
        None => DEFAULT_LIMIT,
        Some(Ok(limit)) => limit,
        Some(Err(_)) => return failure(Status::BadRequest, -1130, "Invalid limit."),
    };
    match exchange.snapshot(&symbol, limit) {
        Some(body) => Response {
            status: Status::Ok,
            body,
        },
        None => failure(Status::BadRequest, -1121, "Invalid symbol."),
    }
}

fn switch(exchange: &Exchange, fault: &AtomicBool, request: &Request) -> Response {
    match request.query.get("on").map(String::as_str) {
        Some("1") => fault.store(true, Relaxed),
        Some("0") => fault.store(false, Relaxed),
        _ => return failure(Status::BadRequest, -1102, "say on=1 or on=0"),
    }
    ok(&status(exchange))
}

fn status(exchange: &Exchange) -> Value {
    json!({
        "websockets": exchange.websockets.load(Relaxed),
        "symbols": exchange.symbols(),
        "silent": exchange.silent.load(Relaxed),
        "refuse": exchange.refuse.load(Relaxed),
    })
}

fn ok(body: &Value) -> Response {
    Response {
        status: Status::Ok,
        body: body.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(exchange: &Exchange, method: &str, path: &str, query: &[(&str, &str)]) -> Response {
        let request = Request {
            method: method.into(),
            path: path.into(),
            query: query
                .iter()
                .map(|&(key, value)| (key.into(), value.into()))
                .collect(),
            websocket_key: None,
        };
        respond(exchange, &request)
    }

    #[test]
    fn a_fault_is_switched_on_and_off() {
        let exchange = Exchange::default();
        for (name, fault) in [("silent", &exchange.silent), ("refuse", &exchange.refuse)] {
            let path = format!("/control/{name}");
            assert_eq!(
                ask(&exchange, "POST", &path, &[("on", "1")]).status,
                Status::Ok
            );
            assert!(fault.load(Relaxed));
            assert_eq!(
                ask(&exchange, "POST", &path, &[("on", "maybe")]).status,
                Status::BadRequest
            );
            assert!(fault.load(Relaxed));
            assert_eq!(
                ask(&exchange, "POST", &path, &[("on", "0")]).status,
                Status::Ok
            );
            assert!(!fault.load(Relaxed));
        }
    }

    #[test]
    fn looking_never_causes_a_fault() {
        let exchange = Exchange::default();
        let response = ask(&exchange, "GET", "/control/silent", &[("on", "1")]);
        assert_eq!(response.status, Status::MethodNotAllowed);
        assert!(!exchange.silent.load(Relaxed));
    }

    #[test]
    fn a_snapshot_needs_a_symbol_in_any_case() {
        let exchange = Exchange::default();
        assert_eq!(
            ask(
                &exchange,
                "GET",
                "/fapi/v1/depth",
                &[("symbol", "btcusdt"), ("limit", "1000")]
            )
            .status,
            Status::Ok
        );
        assert_eq!(exchange.symbols(), ["BTCUSDT"]);
        assert_eq!(
            ask(&exchange, "GET", "/fapi/v1/depth", &[]).status,
            Status::BadRequest
        );
        assert_eq!(
            ask(
                &exchange,
                "GET",
                "/fapi/v1/depth",
                &[("symbol", "B"), ("limit", "x")]
            )
            .status,
            Status::BadRequest
        );
    }

    #[test]
    fn a_silent_exchange_sends_nothing() {
        let exchange = Exchange::default();
        assert!(exchange.list("BTCUSDT"));
        let mut events = exchange.events.subscribe();
        exchange.silent.store(true, Relaxed);
        exchange.step();
        assert!(events.try_recv().is_err());
        exchange.silent.store(false, Relaxed);
        exchange.step();
        assert!(events.try_recv().is_ok());
    }
}
