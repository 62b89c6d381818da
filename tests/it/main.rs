//! Everfeed as its users meet it: the real binary, real sockets, real proxies. One subject a file.

mod support;

mod dialect;
mod layering;
