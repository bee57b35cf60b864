//! The folder of everything that is fetched or built once.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// `TIERPROOF_CACHE`, or `tierproof/` in the user's cache folder. Models are in `models/` below it.
pub fn cache_folder() -> std::io::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("TIERPROOF_CACHE").filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        let message =
            format!("the user's cache folder is unknown: {error}\n  (hint: set `TIERPROOF_CACHE`)");
        std::io::Error::new(std::io::ErrorKind::NotFound, message)
    })?;
    Ok(strategy.cache_dir().join("tierproof"))
}
