//! The list of backends: folders here and in `isle-rules`. The build script and the registry of targets read it.

/// Calls the macro `$with` with the name of each backend.
macro_rules! for_each_backend {
    ($with:ident) => {
        $with! { arm ppc64 }
    };
}
