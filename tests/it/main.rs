//! Everfeed as its users meet it: the real binary, real sockets, real proxies. One subject a file.

mod support;

mod append;
mod bad_input;
mod dialect;
mod fuzz;
mod layering;
mod problems;
