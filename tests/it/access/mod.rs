//! Who is asking, and what they may do.

mod audit;
mod canary;
mod first_start;
mod meanwhile;
mod rights;
mod secret;
mod throttle;
mod users;
mod who;
