//! Tests of the text as a whole.
