//! Runs the server.

use everfeed::config::{Config, Flag, Flags};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "serve").collect();
    let values = arguments
        .chunks(2)
        .map(|pair| Flag {
            flag: pair[0].clone(),
            setting: pair[0].trim_start_matches("--").replace('-', "_"),
            value: pair.get(1).cloned().unwrap_or_default(),
        })
        .collect();
    let loaded = Config::load(&Flags { file: None, values }, std::env::vars_os())?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(loaded.config.log.level.0.clone())
        .with_writer(std::io::stderr)
        .init();
    Ok(everfeed::server::run(&loaded.config)?)
}
