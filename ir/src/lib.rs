//! The machine-independent SSA language of Windlass: data structures, text, verifier, analyses, interpreter.
