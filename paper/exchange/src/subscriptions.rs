//! Which streams a websocket client has asked for.

use std::collections::BTreeSet;

use crate::messages::Method;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    Depth,
    Trade,
}

/// One stream: a symbol, in upper case as in events, and what is told about it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stream {
    pub symbol: String,
    pub kind: Kind,
}

impl Stream {
    /// Reads `btcusdt@trade`, `btcusdt@depth` or `btcusdt@depth@0ms` (any speed); `None` for anything else.
    ///
    /// Like Binance, a symbol that is not in lower case is no stream.
    pub fn parse(name: &str) -> Option<Self> {
        let (symbol, kind) = name.split_once('@')?;
        let kind = match kind.split_once('@') {
            None if kind == "trade" => Kind::Trade,
            None if kind == "depth" => Kind::Depth,
            Some(("depth", "0ms" | "100ms" | "250ms" | "500ms")) => Kind::Depth,
            _ => return None,
        };
        let upper = symbol.to_uppercase();
        (upper != symbol && is_symbol(&upper)).then_some(Self {
            symbol: upper,
            kind,
        })
    }
}

/// Whether `text` can be a symbol as events write it.
pub fn is_symbol(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[derive(Debug, Default)]
pub struct Subscriptions(BTreeSet<Stream>);

impl Subscriptions {
    /// Does a request; the error is the first name that is no stream, and then nothing has changed.
    pub fn apply(&mut self, method: Method, names: &[String]) -> Result<Vec<Stream>, String> {
        let streams = names
            .iter()
            .map(|name| Stream::parse(name).ok_or_else(|| name.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        match method {
            Method::Subscribe => self.0.extend(streams.iter().cloned()),
            Method::Unsubscribe => self.0.retain(|stream| !streams.contains(stream)),
        }
        Ok(streams)
    }

    pub fn contains(&self, stream: &Stream) -> bool {
        self.0.contains(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn stream(symbol: &str, kind: Kind) -> Stream {
        Stream {
            symbol: symbol.into(),
            kind,
        }
    }

    #[test]
    fn stream_names_are_binances() {
        let depth = Some(stream("BTCUSDT", Kind::Depth));
        assert_eq!(Stream::parse("btcusdt@depth@0ms"), depth);
        assert_eq!(Stream::parse("btcusdt@depth"), depth);
        assert_eq!(
            Stream::parse("btcusdt@trade"),
            Some(stream("BTCUSDT", Kind::Trade))
        );
        for name in [
            "",
            "btcusdt",
            "@trade",
            "BTCUSDT@trade",
            "btcusdt@trade@0ms",
            "btcusdt@depth@7ms",
            "btc usdt@trade",
        ] {
            assert_eq!(Stream::parse(name), None, "{name}");
        }
    }

    #[test]
    fn an_unsubscribed_stream_is_gone_and_the_others_stay() {
        let mut subscriptions = Subscriptions::default();
        subscriptions
            .apply(
                Method::Subscribe,
                &names(&["btcusdt@trade", "btcusdt@depth@0ms"]),
            )
            .expect("streams");
        subscriptions
            .apply(Method::Unsubscribe, &names(&["btcusdt@trade"]))
            .expect("streams");
        assert!(!subscriptions.contains(&stream("BTCUSDT", Kind::Trade)));
        assert!(subscriptions.contains(&stream("BTCUSDT", Kind::Depth)));
    }

    #[test]
    fn one_wrong_name_subscribes_nothing() {
        let mut subscriptions = Subscriptions::default();
        let wrong = subscriptions.apply(Method::Subscribe, &names(&["btcusdt@trade", "nonsense"]));
        assert_eq!(wrong, Err("nonsense".into()));
        assert!(!subscriptions.contains(&stream("BTCUSDT", Kind::Trade)));
    }
}
