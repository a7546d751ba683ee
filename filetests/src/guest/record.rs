//! What the driver writes to its standard output.
//!
//! The driver starts with a header of which the first word is [`STARTED`], and writes a record for each call:
//!
//! | offset | what |
//! |---|---|
//! | 0 | number of the call, a word |
//! | a word | number of the signal that ended it, or 0 |
//! | two words | address of the instruction that raised it, or 0 |
//! | [`HEADER_BYTES`] | if no signal ended it: the results, [`SLOT_BYTES`] each |
//!
//! Words are address-sized, and everything is in the target's byte order.

use windlass::Target;
use windlass_ir::{DataValue, Endianness, Signature, Type};

/// Bytes of a record before the results: three words, and room up to a slot's boundary.
pub(super) const HEADER_BYTES: usize = 32;
/// Bytes of a value, whatever its type.
pub(super) const SLOT_BYTES: usize = 16;
/// Stands in the place of a call's number when the driver has started.
pub(super) const STARTED: u32 = 0x5717_da55;

/// What a record says.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum CallResult {
    Returned(Vec<DataValue>),
    Signal { number: u32, address: u64 },
}

/// Reads records as they arrive, in pieces of any size.
pub(super) struct RecordReader {
    address_type: Type,
    endianness: Endianness,
    pending: Vec<u8>,
    started: bool,
    /// Number of the next call.
    next: usize,
    results: Vec<CallResult>,
}

impl RecordReader {
    /// Expects records from call number `first` on.
    pub(super) fn new(target: &dyn Target, first: usize) -> RecordReader {
        RecordReader {
            address_type: target.address_type(),
            endianness: target.endianness(),
            pending: Vec::new(),
            started: false,
            next: first,
            results: Vec::new(),
        }
    }

    /// Has the driver started?
    pub(super) fn started(&self) -> bool {
        self.started
    }

    /// The complete records, in order.
    pub(super) fn take(self) -> Vec<CallResult> {
        self.results
    }

    fn word(&self, bytes: &[u8], n: usize) -> u64 {
        let size = self.address_type.bytes() as usize;
        match DataValue::read(&bytes[n * size..], self.address_type, self.endianness) {
            Some(value) => value.to_bits() as u64,
            None => 0,
        }
    }

    /// Takes bytes that the driver wrote. `signature` tells the signatures of calls by number. False if the bytes
    /// are no records.
    pub(super) fn feed<'a>(
        &mut self,
        bytes: &[u8],
        signature: impl Fn(usize) -> Option<&'a Signature>,
    ) -> bool {
        self.pending.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(record) = self.pending.get(at..).filter(|record| record.len() >= HEADER_BYTES) {
            if !self.started {
                if self.word(record, 0) != u64::from(STARTED) {
                    return false;
                }
                self.started = true;
                at += HEADER_BYTES;
                continue;
            }
            let Some(signature) = signature(self.next) else { return false };
            if self.word(record, 0) != self.next as u64 {
                return false;
            }
            let number = self.word(record, 1) as u32;
            let mut size = HEADER_BYTES;
            let result = if number != 0 {
                CallResult::Signal { number, address: self.word(record, 2) }
            } else {
                size += SLOT_BYTES * signature.returns.len();
                let Some(slots) = record.get(HEADER_BYTES..size) else { break };
                let values = slots.chunks(SLOT_BYTES).zip(&signature.returns);
                let read = |(slot, ret): (&[u8], &windlass_ir::AbiParam)| {
                    DataValue::read(slot, ret.value_type, self.endianness)
                };
                match values.map(read).collect() {
                    Some(values) => CallResult::Returned(values),
                    None => return false,
                }
            };
            self.results.push(result);
            self.next += 1;
            at += size;
        }
        self.pending.drain(..at);
        true
    }
}
