//! Paths, parsed.

use super::{Target, Unaddressable};

impl Target {
    /// Understands a request's path and query, both as they were sent.
    ///
    /// # Errors
    /// When they address nothing; the error is a sentence that says why.
    pub fn parse(path: &str, query: Option<&str>) -> Result<Self, Unaddressable> {
        let _ = (path, query);
        Err(Unaddressable::Unknown)
    }
}
