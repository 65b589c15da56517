//! The command line.

use std::time::Duration;

pub const USAGE: &str = "usage: exchange [--port PORT] [--rate RATE]

  --port PORT   port of 127.0.0.1 (default 0: any free port, printed)
  --rate RATE   depth updates per second and symbol, 0.1 to 1000 (default 50)";

#[derive(Debug, PartialEq)]
pub struct Arguments {
    pub port: u16,
    /// Depth updates per second and symbol.
    pub rate: f64,
}

impl Arguments {
    /// Reads the arguments after the program's name; the error says which one is wrong.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self {
            port: 0,
            rate: 50.0,
        };
        while let Some(option) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{option} needs a value"))
            };
            match option.as_str() {
                "--port" => {
                    let text = value()?;
                    parsed.port = text
                        .parse()
                        .map_err(|_| format!("--port {text}: not a port, 0 to 65535"))?;
                }
                "--rate" => {
                    let text = value()?;
                    parsed.rate = text
                        .parse()
                        .ok()
                        .filter(|rate| (0.1..=1000.0).contains(rate))
                        .ok_or_else(|| format!("--rate {text}: not a rate, 0.1 to 1000"))?;
                }
                _ => return Err(format!("unknown argument {option}")),
            }
        }
        Ok(parsed)
    }

    /// Time between two depth updates of a symbol.
    pub fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        Arguments::parse(arguments.iter().map(ToString::to_string))
    }

    #[test]
    fn options_may_come_in_any_order() {
        let expected = Arguments {
            port: 9000,
            rate: 4.0,
        };
        assert_eq!(
            parse(&["--rate", "4", "--port", "9000"]).as_ref(),
            Ok(&expected)
        );
        assert_eq!(expected.interval(), Duration::from_millis(250));
    }

    #[test]
    fn a_wrong_value_is_named() {
        for arguments in [
            ["--port", "65536"],
            ["--rate", "0"],
            ["--rate", "NaN"],
            ["--rate", "1001"],
        ] {
            let error = parse(&arguments).expect_err("refused");
            assert!(error.contains(arguments[1]), "{error}");
        }
        assert!(parse(&["--rate"]).is_err());
        assert!(parse(&["--host", "0.0.0.0"]).is_err());
    }
}
