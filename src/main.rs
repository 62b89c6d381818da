//! Runs the chosen command, and ends the process with its exit code.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> everfeed::cli::Exit {
    everfeed::cli::run(std::env::args_os(), std::env::vars_os())
}
