//! A LiveBot that trades nothing: it says when it sees the market, and how much of it.
//!
//! One line on stdout for the first finite best bid and ask of each connector, then at most one a second and connector,
//! and none while nothing comes. SIGTERM or SIGINT ends it with `stopped` and code 0.

mod arguments;
mod report;

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use hftbacktest::{
    live::{Instrument, LiveBot, LiveBotBuilder, ipc::iceoryx::IceoryxUnifiedChannel},
    prelude::{Bot, ElapseResult, HashMapMarketDepth, MarketDepth, get_precision},
};

use crate::{
    arguments::Arguments,
    report::{Quote, Reporter},
};

/// Nanoseconds in `wait_next_feed`; it returns with the first event, this only bounds it.
const WAIT: i64 = 1_000_000;

type PaperBot = LiveBot<IceoryxUnifiedChannel, HashMapMarketDepth>;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut bot = build(arguments)?;
    let precision = get_precision(arguments.tick_size);
    let mut reporters: Vec<_> = arguments
        .connectors
        .iter()
        .map(|connector| Reporter::new(connector, &arguments.symbol, precision))
        .collect();
    loop {
        match bot.wait_next_feed(false, WAIT)? {
            ElapseResult::EndOfData => break,
            _ => report(&bot, &mut reporters)?,
        }
    }
    if !arguments.grace.is_zero() {
        say("flattening")?;
        thread::sleep(arguments.grace);
    }
    say("stopped")?;
    Ok(())
}

fn build(arguments: &Arguments) -> Result<PaperBot, Box<dyn Error>> {
    let Arguments {
        tick_size,
        lot_size,
        ..
    } = *arguments;
    let mut builder = LiveBotBuilder::new();
    for connector in &arguments.connectors {
        builder = builder.register(Instrument::new(
            connector,
            &arguments.symbol,
            tick_size,
            lot_size,
            HashMapMarketDepth::new(tick_size, lot_size),
            0,
        ));
    }
    Ok(builder.build()?)
}

fn report(bot: &PaperBot, reporters: &mut [Reporter]) -> io::Result<()> {
    for (asset, reporter) in reporters.iter_mut().enumerate() {
        let Some(feed) = bot.feed_latency(asset) else {
            continue;
        };
        let depth = bot.depth(asset);
        let quote = Quote {
            bid: depth.best_bid(),
            ask: depth.best_ask(),
        };
        if let Some(line) = reporter.observe(feed, quote, now()) {
            say(&line)?;
        }
    }
    Ok(())
}

/// Prints a line so that a reader of the pipe has it at once.
fn say(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// CLOCK_REALTIME in nanoseconds.
fn now() -> u128 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| elapsed.as_nanos())
}
