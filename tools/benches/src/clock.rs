//! What a stretch of work costs: time, and instructions retired where the system counts them.
//!
//! Time is that of the clock on the wall: what is measured takes a millisecond or so, less than a scheduler's slice, so that
//! the middle one of many rounds is little disturbed by other work. (Processor time is counted in steps of several
//! milliseconds on many systems.)

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
    counter: Option<Counter>,
}

impl Clock {
    /// The best clock that the system has.
    pub fn new() -> Clock {
        let mut builder = Builder::new(Hardware::INSTRUCTIONS);
        builder.exclude_kernel(true);
        Clock { counter: builder.build().ok() }
    }

    /// Are instructions counted?
    pub fn counts_instructions(&self) -> bool {
        self.counter.is_some()
    }

    /// Does `work` and says what it cost.
    pub fn measure(&mut self, work: impl FnOnce()) -> Cost {
        let counting = self.counter.as_mut().is_some_and(|c| c.reset().and_then(|()| c.enable()).is_ok());
        let start = Instant::now();
        work();
        let seconds = start.elapsed().as_secs_f64();
        let mut instructions = 0.0;
        if let Some(counter) = &mut self.counter
            && counting
            && counter.disable().is_ok()
        {
            instructions = counter.read().unwrap_or(0) as f64;
        }
        Cost { seconds, instructions }
    }
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
