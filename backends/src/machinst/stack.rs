//! Stacks that end: limits that functions check on entry, and probes that touch a large frame page by page.
//!
//! What has to be done is decided here; the prologues of the targets do it.
//!
//! **Limits.** A function's `stack_limit` is a global value. Before it uses any stack, a function whose frame has any
//! bytes compares: the frame may not begin below the limit. A function without a frame is not checked: its caller
//! was.
//!
//! **Probes.** Below a stack lies a guard page, whose access faults. So that no function steps over it, the distance from the stack
//! pointer up to the last byte that was touched stays small:
//!
//! NOTE[stack-probes]: with `enable_probestack`, on entry of every function, at most [`slack`] bytes from the stack
//! pointer on up are untouched, a quarter of a page. A function touches its frame so that there are never more than a page between two
//! touches, and leaves no more than the slack to its callees. Frames smaller than the slack cost nothing.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use windlass_ir::{ArgumentPurpose, Function, GlobalValue, GlobalValueData, MemFlags};

/// How a function's stack limit is found: where to start, and what to do with what is there, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StackLimit {
    /// The context parameter's index; or the symbol that is the value to start with, a global value.
    pub start: LimitStart,
    /// From there to the limit.
    pub steps: Vec<LimitStep>,
}

/// Where the way to a stack limit starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitStart {
    /// The parameter of this index, in a register or on the stack as the convention has it.
    Param(usize),
    /// A symbol's address: a global value that is one.
    Symbol(GlobalValue),
}

/// A step on the way to a stack limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitStep {
    /// Load an address from so many bytes behind.
    Load(i32, MemFlags),
    /// Add.
    Add(i64),
}

impl StackLimit {
    /// The stack limit of `func`, if it has one.
    ///
    /// # Errors
    /// What is not supported, which is a limit in thread-local storage.
    pub fn of(func: &Function) -> Result<Option<StackLimit>, String> {
        let Some(mut at) = func.stack_limit else { return Ok(None) };
        let mut steps = Vec::new();
        // The verifier has seen to it that the chain ends.
        let start = loop {
            match func.global_values[at] {
                GlobalValueData::Load { base, offset, flags, .. } => {
                    steps.push(LimitStep::Load(offset, flags));
                    at = base;
                }
                GlobalValueData::IAddImm { base, offset, .. } => {
                    steps.push(LimitStep::Add(offset));
                    at = base;
                }
                GlobalValueData::VMContext => {
                    match func.signature.special_param_index(ArgumentPurpose::VMContext) {
                        Some(index) => break LimitStart::Param(index),
                        None => return Err("a stack limit in a context that is no parameter".into()),
                    }
                }
                GlobalValueData::Symbol { tls: true, ref name, .. } => {
                    return Err(format!("a stack limit in thread-local storage, {name}"));
                }
                GlobalValueData::Symbol { .. } => break LimitStart::Symbol(at),
            }
            if steps.len() > func.global_values.len() {
                return Err("a stack limit that depends on itself".into());
            }
        };
        steps.reverse();
        Ok(Some(StackLimit { start, steps }))
    }
}

/// The most bytes above the stack pointer that are untouched on entry, for pages of `page` bytes.
pub const fn slack(page: u32) -> u32 {
    page / 4
}

/// How the stack grows by a number of bytes: the pages and the rest, and what is touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probes {
    /// The word at the stack pointer is read before anything. It is not the function's own.
    pub first: bool,
    /// So many times the stack pointer goes down by a page and the word there is written.
    pub pages: u32,
    /// Then it goes down by this many bytes.
    pub rest_bytes: u32,
    /// The word there is written.
    pub last: bool,
}

impl Probes {
    /// More pages than these are a loop.
    pub const MAX_UNROLLED: u32 = 4;

    /// What is done to grow the stack by `bytes`, for pages of `page` bytes, none if there are no probes. `untouched` are the bytes above
    /// the stack pointer that have not been touched.
    pub fn plan(page: Option<u32>, untouched: u32, bytes: u32) -> Probes {
        let Some(page) = page.filter(|page| untouched.saturating_add(bytes) > slack(*page)) else {
            return Probes { first: false, pages: 0, rest_bytes: bytes, last: false };
        };
        let first = untouched.saturating_add(bytes) > page && untouched > 0;
        let (pages, rest_bytes) = (bytes / page, bytes % page);
        let untouched = if first || pages > 0 { 0 } else { untouched };
        Probes { first, pages, rest_bytes, last: untouched + rest_bytes > slack(page) }
    }

    /// The bytes above the stack pointer that are untouched afterwards.
    pub fn untouched_bytes(&self, before: u32) -> u32 {
        match *self {
            Probes { last: true, .. } => 0,
            Probes { first: false, pages: 0, rest_bytes, .. } => before + rest_bytes,
            Probes { rest_bytes, .. } => rest_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_touches_are_more_than_a_page_apart() {
        let page = 64;
        for untouched in 0..=slack(page) {
            for bytes in 0..400 {
                let plan = Probes::plan(Some(page), untouched, bytes);
                // Bytes down from the stack pointer at the start.
                let (mut at, mut touched) = (0i64, -i64::from(untouched));
                let mut touch = |at: i64| {
                    assert!(at - touched <= i64::from(page), "{untouched} {bytes} {plan:?}");
                    touched = at;
                };
                if plan.first {
                    touch(at);
                }
                for _ in 0..plan.pages {
                    at += i64::from(page);
                    touch(at);
                }
                at += i64::from(plan.rest_bytes);
                if plan.last {
                    touch(at);
                }
                assert_eq!(at, i64::from(bytes));
                assert!(at - touched <= i64::from(slack(page)), "{untouched} {bytes} {plan:?}");
                assert_eq!(at - touched, i64::from(plan.untouched_bytes(untouched)), "{untouched} {bytes}");
            }
        }
        let none = Probes { first: false, pages: 0, rest_bytes: 1 << 20, last: false };
        assert_eq!(Probes::plan(None, 0, 1 << 20), none);
    }
}
