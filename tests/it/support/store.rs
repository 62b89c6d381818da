//! A store between two servers, or after the last one.

use std::path::{Path, PathBuf};

/// sled's own file.
pub(crate) fn sled_file(data: &Path) -> PathBuf {
    data.join("sled").join("db")
}

/// The chunk files, oldest first; not the indexes of derived streams that lie beside them.
pub(crate) fn chunk_files(data: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data.join("chunks")).expect("the store has chunks");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it is read").path()).collect();
    files.retain(|path| is_chunk(path));
    files.sort();
    files
}

/// `{first position}.{generation}`
fn is_chunk(path: &Path) -> bool {
    let generation = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    generation.parse::<u32>().is_ok()
}

/// sled never syncs its blob files, so nothing may ever lie in one.
pub(crate) fn check_no_blobs(data: &Path) {
    let blobs = std::fs::read_dir(data.join("sled").join("blobs")).expect("sled makes it").count();
    assert_eq!(blobs, 0, "events lie in files that are never synced");
}

/// Everything in the store is what its checksums and indexes say. No server may have it open.
pub(crate) fn check_sound(data: &Path) {
    let report = everfeed::store::verify(data, &mut |_, _| {}).expect("the store opens");
    assert!(report.is_sound(), "{report}");
    check_no_blobs(data);
}
