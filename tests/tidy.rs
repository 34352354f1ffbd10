//! What a compiler does not see: opening lines, sizes, boundaries, names in documents, shipped configurations.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tests::{Envoy, workspace};

/// The most lines of a file of a filter, tests not counted.
const LINES: usize = 300;

#[test]
fn every_source_file_opens_with_its_purpose() {
    none(sources(&["filters", "tests"]).filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path));
}

#[test]
fn only_the_yardstick_uses_the_sdk() {
    // The tool that prunes modules knows the SDK's symbols, and calls nothing of it.
    let others = ["tests/noop/", "filters/pack/src/names.rs", "filters/pack/src/uncalled.rs"];
    let sdk = concat!("proxy", "_wasm");
    none(
        sources(&["filters", "tests"])
            .filter(|(path, text)| text.contains(sdk) && !others.iter().any(|other| path.starts_with(other)))
            .map(|(path, _)| path),
    );
}

#[test]
fn files_of_filters_are_short() {
    none(sources(&["filters"]).filter_map(|(path, text)| {
        let is_test = path.ends_with("tests.rs") || path.ends_with("testing.rs") || path.contains("/tests/");
        let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        (!is_test && lines > LINES).then(|| format!("{path}: {lines} lines, at most {LINES}"))
    }));
}

#[test]
fn files_that_documents_name_exist() {
    let readmes = files(&workspace().join("filters")).into_iter().filter(|path| path.ends_with("README.md"));
    let top = fs::read_dir(workspace()).expect("the workspace").map(|entry| entry.expect("an entry").path());
    let documents =
        top.filter(|path| path.extension().is_some_and(|extension| extension == "md")).chain(readmes);
    none(documents.flat_map(|document| {
        let text = fs::read_to_string(&document).expect("a document");
        let names: Vec<_> =
            text.split('`').skip(1).step_by(2).filter(|name| is_path(name)).map(str::to_owned).collect();
        let folder = document.parent().expect("a folder").to_owned();
        let missing = move |name: &String| !workspace().join(name).exists() && !folder.join(name).exists();
        names.into_iter().filter(missing).map(move |name| format!("{}: `{name}`", relative(&document)))
    }));
}

#[test]
fn tests_that_the_security_policy_names_exist() {
    let text = fs::read_to_string(workspace().join("SECURITY.md")).expect("SECURITY.md");
    let functions: BTreeSet<String> = sources(&["filters", "tests"])
        .flat_map(|(_, text)| {
            let names =
                text.lines().filter_map(|line| line.trim_start().split_once("fn ")?.1.split_once('('));
            names.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
        })
        .collect();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| tests |"));
    let rows: Vec<_> = rows.filter(|row| !row.starts_with("| ---")).collect();
    assert!(rows.len() > 50, "found only {} attacks: is the search for them broken?", rows.len());
    none(rows.into_iter().flat_map(|row| {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let names: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        let unknown = names.iter().filter(|name| !functions.contains(**name)).map(|name| format!("`{name}`"));
        let missing = names.is_empty().then(|| "no test".to_owned());
        unknown.chain(missing).map(move |problem| format!("{problem}: {row}")).collect::<Vec<_>>()
    }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_accepts_every_shipped_configuration() {
    let mut shipped = files(&workspace().join("envoy"));
    shipped.retain(|path| path.parent().is_some_and(|folder| folder.ends_with("envoy")));
    shipped.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    shipped.retain(|path| !path.ends_with("docker-compose.yaml"));
    for path in shipped {
        Envoy::from(&relative(&path)["envoy/".len()..]).validate().await;
    }
}

/// Tells whether something in backticks is meant as a path of the repository.
fn is_path(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    let rooted =
        ["filters/", "envoy/", "tests/", ".github/", "src/"].iter().any(|folder| name.starts_with(folder));
    // The guide to a new filter makes one up, and means the `src/` of any.
    let invented = name.contains("request-id") || name.contains("request_id") || name == "src/";
    plain && !invented && (rooted || name.ends_with(".md")) && !name.starts_with("tests/.logs")
}

fn sources(folders: &[&str]) -> impl Iterator<Item = (String, String)> {
    let all =
        folders.iter().flat_map(|folder| files(&workspace().join(folder))).collect::<Vec<_>>().into_iter();
    all.filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| (relative(&path), fs::read_to_string(&path).expect("a source file")))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true if !path.ends_with("target") => found.extend(files(&path)),
            true => {}
            false => found.push(path),
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(workspace()).expect("a path of the workspace").display().to_string()
}

#[track_caller]
fn none(offenders: impl Iterator<Item = String>) {
    let offenders: Vec<_> = offenders.collect();
    assert!(offenders.is_empty(), "offenders:\n{}", offenders.join("\n"));
}
