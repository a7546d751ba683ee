//! The subcommands, a module each.

pub mod compile;
pub mod disasm;
pub mod fuzz;
pub mod reduce;
pub mod run;
pub mod show;
pub mod targets;
pub mod test;
pub mod verify;

use clap::Args;
use windlass::Target;
use windlass_filetests::targets::Setting;

/// Options of every command that compiles.
#[derive(Args, Clone)]
pub struct TargetArgs {
    /// Optimize not at all, for speed or for size
    #[arg(short = 'O', value_name = "LEVEL", value_parser = ["none", "speed", "size"])]
    pub opt_level: Option<String>,
    /// Change a setting or a feature of the target; `windlass targets` lists them
    #[arg(long = "set", value_name = "NAME[=VALUE]")]
    pub settings: Vec<String>,
}

impl TargetArgs {
    /// The settings in order.
    pub fn settings(&self) -> Vec<Setting> {
        let level = self.opt_level.iter().map(|level| ("opt_level".to_owned(), Some(level.clone())));
        level.chain(self.settings.iter().map(|s| crate::input::setting(s))).collect()
    }

    /// The target with these settings, and listings if asked for.
    pub fn build(&self, spec: &str, listings: bool) -> Result<Box<dyn Target>, crate::Failure> {
        let mut settings = self.settings();
        if listings {
            settings.push(("inst_ranges".to_owned(), None));
        }
        crate::input::target(spec, &settings)
    }
}
