//! Pauses between connection attempts: 0.1 s, doubled each time, at most 60 s.

use std::time::{Duration, Instant};

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);
/// Without a failure for so long the pauses start anew.
const FORGET: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub struct Backoff {
    pause: Option<Duration>,
    last_failure: Instant,
}

impl Backoff {
    pub fn new(now: Instant) -> Self {
        Self {
            pause: None,
            last_failure: now,
        }
    }

    /// The pause to make after a failure at `now`.
    pub fn next(&mut self, now: Instant) -> Duration {
        let pause = match self.pause {
            Some(pause) if now - self.last_failure <= FORGET => (pause * 2).min(LONGEST),
            _ => SHORTEST,
        };
        self.pause = Some(pause);
        self.last_failure = now;
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let start = Instant::now();
        let mut backoff = Backoff::new(start);
        let pauses: Vec<_> = (0..12).map(|_| backoff.next(start).as_millis()).collect();
        assert_eq!(pauses[..4], [100, 200, 400, 800]);
        assert_eq!(pauses[9..], [51_200, 60_000, 60_000]);
    }

    #[test]
    fn a_quiet_time_starts_the_pauses_anew() {
        let start = Instant::now();
        let mut backoff = Backoff::new(start);
        for _ in 0..5 {
            backoff.next(start);
        }
        let later = start + FORGET + Duration::from_millis(1);
        assert_eq!(backoff.next(later), SHORTEST);
    }
}
