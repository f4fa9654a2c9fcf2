//! What a real hub said: each recorded message, and the answers that follow from them.

mod replay;
mod transcripts;

use std::fs;
use std::path::{Path, PathBuf};

/// Recorded exchanges of a folder, sorted: the name, the request, the response.
fn exchanges(folder: &Path) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut found = Vec::new();
    for path in names {
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(stem) = name.strip_suffix(".request.xml") else { continue };
        let response = path.with_file_name(format!("{stem}.response.xml"));
        if let (Ok(request), Ok(response)) = (fs::read(&path), fs::read(response)) {
            found.push((stem.to_owned(), request, response));
        }
    }
    found
}
