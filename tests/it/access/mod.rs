//! Who is asking, and what they may do.

mod rights;
mod who;
