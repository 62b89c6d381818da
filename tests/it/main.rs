//! Everfeed as its users meet it: the real binary, real sockets, real proxies. One subject a file.

mod support;

mod bad_input;
mod fuzz;
mod layering;
