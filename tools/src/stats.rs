//! Tables of sizes and times.

use std::fmt::Write;
use std::time::Duration;
use windlass::Stats;

/// Sizes and times of the compilation of a file.
#[derive(Default)]
pub struct Table {
    /// Functions.
    pub functions: usize,
    /// Sizes, summed.
    pub sizes: Stats,
    /// Stages and how long they took, in order.
    pub times: Vec<(&'static str, Duration)>,
}

impl Table {
    /// Adds the time that a stage took.
    pub fn add_time(&mut self, stage: &'static str, time: Duration) {
        match self.times.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, total)) => *total += time,
            None => self.times.push((stage, time)),
        }
    }

    /// The table as text.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{:<24}{:>12}", "functions", self.functions);
        for (name, n) in self.sizes.rows() {
            let _ = writeln!(out, "{name:<24}{n:>12}");
        }
        let total: Duration = self.times.iter().map(|(_, time)| *time).sum();
        for (stage, time) in &self.times {
            let share = 100.0 * time.as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
            let _ = writeln!(
                out,
                "{:<24}{:>9.3} ms{share:>7.1} %",
                format!("{stage} time"),
                time.as_secs_f64() * 1e3
            );
        }
        let _ = writeln!(out, "{:<24}{:>9.3} ms", "total time", total.as_secs_f64() * 1e3);
        if self.sizes.ir_insts > 0 {
            let per = total.as_secs_f64() * 1e9 / f64::from(self.sizes.ir_insts);
            let _ = writeln!(out, "{:<24}{per:>9.0} ns", "time per IR instruction");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_stage_add_up() {
        let mut table = Table::default();
        table.add_time("compile", Duration::from_millis(2));
        table.add_time("compile", Duration::from_millis(3));
        table.sizes.ir_insts = 5;
        let text = table.render();
        assert!(text.contains("compile time                5.000 ms  100.0 %"), "{text}");
        assert!(text.contains("time per IR instruction   1000000 ns"), "{text}");
    }
}
