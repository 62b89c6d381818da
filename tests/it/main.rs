//! Everfeed as its users meet it: the real binary, real sockets, real proxies. One subject a file.

mod support;

mod append;
mod bad_input;
mod caching;
mod conditional;
mod dialect;
mod fuzz;
mod http2;
mod large_pages;
mod layering;
mod limits;
mod live;
mod negotiation;
mod paging;
mod problems;
mod shutdown;
