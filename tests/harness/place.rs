//! Where things are: the workspace, the Envoy binary, the modules, the logs of failed tests.

use std::env;
use std::path::{Path, PathBuf};

/// Returns the root of the repository.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent")
}

/// Returns the Envoy to test with: `$ENVOY`, else the one that `make tools` installed.
pub fn envoy_binary() -> PathBuf {
    let path = match env::var_os("ENVOY") {
        Some(path) => workspace().join(path),
        None => workspace().join(".tools/envoy/bin/envoy"),
    };
    assert!(path.is_file(), "there is no Envoy at {}: run `make tools`, or set ENVOY", path.display());
    path
}

/// Returns the path of a built module: in `$SLUICE_DIST`, else in `dist/`.
pub fn dist(module: &str) -> PathBuf {
    let folder =
        env::var_os("SLUICE_DIST").map_or_else(|| workspace().join("dist"), |dist| workspace().join(dist));
    let path = folder.join(module);
    assert!(path.is_file(), "there is no module {}: run `make build`, or set SLUICE_DIST", path.display());
    path
}

/// Returns where the log of a failed test is kept.
pub(crate) fn kept_log(test: &str) -> PathBuf {
    workspace().join("tests/.logs").join(format!("{}.log", test.replace("::", ".")))
}
