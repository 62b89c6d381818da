#![no_main]

libfuzzer_sys::fuzz_target!(|case: &[u8]| everfeed::fuzzing::run("jwks", case));
