//! The command line.

use std::{collections::HashSet, time::Duration};

pub const USAGE: &str = "usage: bot CONNECTOR[,CONNECTOR..] SYMBOL [--tick-size SIZE] [--lot-size SIZE] [--grace SECONDS]

  CONNECTOR  names of connectors, the channels to take data from
  SYMBOL     as the connectors write it: lower case for Binance, upper case for Bybit
  --tick-size SIZE  default 0.1
  --lot-size SIZE   default 0.001
  --grace SECONDS   how long it stays after SIGTERM, as a bot that flattens (default 0)";

#[derive(Debug, PartialEq)]
pub struct Arguments {
    pub connectors: Vec<String>,
    pub symbol: String,
    pub tick_size: f64,
    pub lot_size: f64,
    pub grace: Duration,
}

impl Arguments {
    /// Reads the arguments after the program's name; the error says which one is wrong.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut names = Vec::new();
        let (mut tick_size, mut lot_size, mut grace) = (0.1, 0.001, Duration::ZERO);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--tick-size" => tick_size = size(&argument, arguments.next())?,
                "--lot-size" => lot_size = size(&argument, arguments.next())?,
                "--grace" => grace = seconds(&argument, arguments.next())?,
                _ if argument.starts_with('-') => {
                    return Err(format!("unknown argument {argument}"));
                }
                _ => names.push(argument),
            }
        }
        let [connectors, symbol] = <[String; 2]>::try_from(names)
            .map_err(|names| format!("wants CONNECTOR and SYMBOL, got {names:?}"))?;
        Ok(Self {
            connectors: unique_names(&connectors)?,
            symbol,
            tick_size,
            lot_size,
            grace,
        })
    }
}

fn unique_names(list: &str) -> Result<Vec<String>, String> {
    let mut known = HashSet::new();
    list.split(',')
        .map(|name| match name {
            "" => Err(format!("{list}: a connector without a name")),
            _ if !known.insert(name) => Err(format!("{list}: {name} twice")),
            _ => Ok(name.to_owned()),
        })
        .collect()
}

fn size(option: &str, value: Option<String>) -> Result<f64, String> {
    let size = number(option, value)?;
    (size > 0.0)
        .then_some(size)
        .ok_or_else(|| format!("{option}: must be above 0"))
}

fn seconds(option: &str, value: Option<String>) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number(option, value)?)
        .map_err(|error| format!("{option}: {error}"))
}

fn number(option: &str, value: Option<String>) -> Result<f64, String> {
    let text = value.ok_or_else(|| format!("{option} needs a value"))?;
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| format!("{option} {text}: not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(ToOwned::to_owned))
    }

    #[test]
    fn connectors_are_a_list_and_sizes_have_defaults() {
        let arguments = parse("bf,by btcusdt --grace 0.5").expect("complete");
        assert_eq!(arguments.connectors, ["bf", "by"]);
        assert_eq!(arguments.symbol, "btcusdt");
        assert_eq!((arguments.tick_size, arguments.lot_size), (0.1, 0.001));
        assert_eq!(arguments.grace, Duration::from_millis(500));
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in [
            "",
            "bf",
            "bf btcusdt more",
            "bf,bf btcusdt",
            "bf, btcusdt",
            "bf btcusdt --tick-size 0",
            "bf btcusdt --lot-size NaN",
            "bf btcusdt --grace -1",
            "bf btcusdt --grace",
            "bf btcusdt --speed 1",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
