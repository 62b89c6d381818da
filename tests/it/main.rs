//! Everfeed as its users meet it: the real binary, real sockets, real proxies. One subject a file.

mod support;

mod kill;
mod layering;
mod strace;
mod sync_audit;
