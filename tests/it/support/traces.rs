//! Whether bytes lie anywhere in a directory, whatever the files there are.

use std::path::Path;

/// Whether any file below the directory holds these bytes as they are.
pub(crate) fn lie_in(dir: &Path, bytes: &[u8]) -> bool {
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("it is read").path();
            if path.is_dir() {
                dirs.push(path);
            } else if std::fs::read(&path).is_ok_and(|file| memchr::memmem::find(&file, bytes).is_some()) {
                return true;
            }
        }
    }
    false
}
