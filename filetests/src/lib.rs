//! The filetest runner of Windlass, and the tests themselves.
