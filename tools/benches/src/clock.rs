//! What a stretch of work costs: processor time, and instructions retired where the system counts them.
//!
//! Processor time of the thread comes from `/proc/thread-self/schedstat` where there is one: other work on the machine
//! then counts little. Elsewhere it is the time of the clock on the wall.

use perf_event::events::Hardware;
use perf_event::{Builder, Counter};
use std::time::Instant;

/// What a stretch of work cost.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Cost {
    /// Seconds.
    pub seconds: f64,
    /// Instructions retired, or 0 if nobody counts them.
    pub instructions: f64,
}

/// Measures stretches of work.
pub struct Clock {
    start: Instant,
    cpu: bool,
    counter: Option<Counter>,
}

impl Clock {
    /// The best clock that the system has.
    pub fn new() -> Clock {
        let mut builder = Builder::new(Hardware::INSTRUCTIONS);
        builder.exclude_kernel(true);
        Clock { start: Instant::now(), cpu: cpu_seconds().is_some(), counter: builder.build().ok() }
    }

    /// Are instructions counted?
    pub fn counts_instructions(&self) -> bool {
        self.counter.is_some()
    }

    /// What the seconds are.
    pub fn unit(&self) -> &'static str {
        if self.cpu { "processor time of the thread" } else { "time on the wall" }
    }

    fn seconds(&self) -> f64 {
        let cpu = if self.cpu { cpu_seconds() } else { None };
        cpu.unwrap_or_else(|| self.start.elapsed().as_secs_f64())
    }

    /// Does `work` and says what it cost.
    pub fn measure(&mut self, work: impl FnOnce()) -> Cost {
        let before = self.seconds();
        let counting = self.counter.as_mut().is_some_and(|c| c.reset().and_then(|()| c.enable()).is_ok());
        work();
        let mut instructions = 0.0;
        if let Some(counter) = &mut self.counter
            && counting
            && counter.disable().is_ok()
        {
            instructions = counter.read().unwrap_or(0) as f64;
        }
        Cost { seconds: self.seconds() - before, instructions }
    }
}

/// Seconds for which this thread has had a processor.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds as f64 * 1e-9)
}

/// The middle one of some numbers; 0 if there are none.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    match numbers.len() {
        0 => 0.0,
        n if n % 2 == 1 => numbers[n / 2],
        n => (numbers[n / 2 - 1] + numbers[n / 2]) / 2.0,
    }
}

/// The middle cost, time and instructions each by itself.
pub fn median_cost(costs: &[Cost]) -> Cost {
    Cost {
        seconds: median(costs.iter().map(|c| c.seconds).collect()),
        instructions: median(costs.iter().map(|c| c.instructions).collect()),
    }
}
