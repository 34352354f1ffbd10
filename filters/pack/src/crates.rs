//! Which crates are in a module: what cargo compiles for its features and its target, and nothing else.
//!
//! `cargo tree` answers that as the build does. `cargo metadata`, on which most tools for bills of materials stand,
//! doesn't: it joins the features of the whole workspace, and says that rate-limit contains the RSA of jwt-auth.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use toml::{Table, Value};

/// What modules are built for.
const TARGET: &str = "wasm32-wasip1";

/// A crate, or another piece of software that a module contains.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Crate {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Its licences, as an SPDX expression; empty if it names none.
    pub(crate) license: String,
    /// Where its sources are; empty if it doesn't say.
    pub(crate) repository: String,
    /// The SHA-256 of the package in the registry; none if it is a part of this workspace.
    pub(crate) checksum: Option<String>,
    /// The crates that it uses, as `name@version`.
    pub(crate) uses: BTreeSet<String>,
}

/// Crates by `name@version`.
pub(crate) type Crates = BTreeMap<String, Crate>;

/// Returns the crates of the module for a filter, or of the one for all.
///
/// # Errors
///
/// Says why cargo can't tell.
pub(crate) fn of(filter: Option<&str>) -> Result<Crates, String> {
    let mut arguments = vec!["tree", "--locked", "--package", "plugin", "--target", TARGET];
    arguments.extend(["--edges", "normal,no-proc-macro", "--no-dedupe", "--prefix", "depth"]);
    arguments.extend(["--format", "\t{p}\t{l}\t{r}"]);
    match filter {
        Some(filter) => arguments.extend(["--features", filter]),
        None => arguments.push("--all-features"),
    }
    let manifest = run("cargo", &["locate-project", "--workspace", "--message-format", "plain"])?;
    let lock = Path::new(manifest.trim()).with_file_name("Cargo.lock");
    read(&run("cargo", &arguments)?, &crate::read(&lock)?)
}

/// Returns what a crate of the workspace says that it is for.
///
/// # Errors
///
/// Says why cargo can't tell.
pub(crate) fn description(name: &str) -> Result<String, String> {
    let text = run("cargo", &["metadata", "--locked", "--no-deps", "--format-version", "1"])?;
    let metadata: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata.get("packages").and_then(serde_json::Value::as_array);
    packages
        .and_then(|packages| packages.iter().find(|package| package.get("name") == Some(&name.into())))
        .and_then(|package| package.get("description")?.as_str())
        .map(str::to_owned)
        .ok_or_else(|| format!("the workspace has no {name} with a description"))
}

/// Returns the version of the compiler, which is that of its standard library.
///
/// # Errors
///
/// Says why rustc can't tell.
pub(crate) fn compiler() -> Result<String, String> {
    let text = run("rustc", &["--version", "--verbose"])?;
    let release = text.lines().find_map(|line| line.strip_prefix("release: "));
    release.map(str::to_owned).ok_or_else(|| format!("rustc doesn't say its release: {text}"))
}

/// Runs a tool of Rust, and returns what it prints.
fn run(tool: &str, arguments: &[&str]) -> Result<String, String> {
    let line = || format!("{tool} {}", arguments.join(" "));
    let output = Command::new(tool)
        .args(arguments)
        .output()
        .map_err(|error| format!("cannot run {}: {error}", line()))?;
    if !output.status.success() {
        return Err(format!("{} failed: {}", line(), String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{}: {error}", line()))
}

/// Reads a tree of crates, one in a line behind its depth, with the lock file that says where each is from.
fn read(tree: &str, lock: &[u8]) -> Result<Crates, String> {
    let checksums = checksums(lock)?;
    let mut crates = Crates::new();
    let mut path: Vec<String> = Vec::new();
    for line in tree.lines() {
        let unclear = || format!("cargo tree prints something new: {line}");
        let mut fields = line.split('\t');
        let depth: usize = fields.next().and_then(|depth| depth.parse().ok()).ok_or_else(unclear)?;
        let mut words = fields.next().ok_or_else(unclear)?.split(' ');
        let name = words.next().ok_or_else(unclear)?;
        let version = words.next().and_then(|version| version.strip_prefix('v')).ok_or_else(unclear)?;
        let id = format!("{name}@{version}");
        // Below a crate of depth 3 stands one of depth 4, or of anything less.
        if path.len() < depth {
            return Err(unclear());
        }
        path.truncate(depth);
        if let Some(user) = path.last().and_then(|user| crates.get_mut(user)) {
            user.uses.insert(id.clone());
        }
        path.push(id.clone());
        let checksum = checksums.get(&id).ok_or_else(|| format!("Cargo.lock lacks {id}"))?;
        crates.entry(id).or_insert_with(|| Crate {
            name: name.to_owned(),
            version: version.to_owned(),
            // Before SPDX had its OR, a slash stood for it.
            license: fields.next().unwrap_or_default().trim().replace('/', " OR "),
            repository: fields.next().unwrap_or_default().trim().to_owned(),
            checksum: checksum.clone(),
            uses: BTreeSet::new(),
        });
    }
    if crates.is_empty() { Err("cargo tree prints nothing".to_owned()) } else { Ok(crates) }
}

/// Reads the checksums of a lock file, by `name@version`; crates of the workspace have none.
fn checksums(lock: &[u8]) -> Result<BTreeMap<String, Option<String>>, String> {
    let text = std::str::from_utf8(lock).map_err(|error| format!("Cargo.lock: {error}"))?;
    let table: Table = text.parse().map_err(|error| format!("Cargo.lock: {error}"))?;
    let packages = table.get("package").and_then(Value::as_array).ok_or("Cargo.lock has no packages")?;
    let field = |package: &Value, name| Some(package.get(name)?.as_str()?.to_owned());
    packages
        .iter()
        .map(|package| {
            let (name, version) = field(package, "name").zip(field(package, "version"))?;
            Some((format!("{name}@{version}"), field(package, "checksum")))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| "Cargo.lock has a package without name or version".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        version = 4
        [[package]]
        name = "plugin"
        version = "0.1.0"
        dependencies = ["kit"]
        [[package]]
        name = "kit"
        version = "0.1.0"
        [[package]]
        name = "subtle"
        version = "2.6.1"
        source = "registry+https://github.com/rust-lang/crates.io-index"
        checksum = "13c2bddecc57b384dee18652358fb23172facb8a2c51ccc10d74c157bdea3292"
    "#;

    const TREE: &str = "0\tplugin v0.1.0 (/sluice/filters/plugin)\tApache-2.0\t\n\
        1\tkit v0.1.0 (/sluice/filters/kit)\tApache-2.0\t\n\
        2\tsubtle v2.6.1\tMIT/Apache-2.0\thttps://example.com/subtle\n\
        1\tsubtle v2.6.1\tMIT/Apache-2.0\thttps://example.com/subtle\n";

    #[test]
    fn a_tree_is_read_with_who_uses_whom_and_where_it_is_from() {
        let crates = read(TREE, LOCK.as_bytes()).unwrap();
        let ids: Vec<_> = crates.keys().map(String::as_str).collect();
        assert_eq!(ids, ["kit@0.1.0", "plugin@0.1.0", "subtle@2.6.1"]);
        assert_eq!(crates["plugin@0.1.0"].uses.iter().collect::<Vec<_>>(), ["kit@0.1.0", "subtle@2.6.1"]);
        assert_eq!(crates["kit@0.1.0"].uses.iter().collect::<Vec<_>>(), ["subtle@2.6.1"]);
        assert_eq!(crates["kit@0.1.0"].checksum, None);
        let subtle = &crates["subtle@2.6.1"];
        assert_eq!(subtle.license, "MIT OR Apache-2.0");
        assert_eq!(subtle.repository, "https://example.com/subtle");
        assert!(subtle.checksum.as_ref().unwrap().starts_with("13c2bdde"));
        assert!(subtle.uses.is_empty());
    }

    #[test]
    fn a_tree_that_is_not_understood_is_refused() {
        let refused = |tree| read(tree, LOCK.as_bytes()).unwrap_err();
        assert_eq!(refused(""), "cargo tree prints nothing");
        assert_eq!(refused("plugin v0.1.0"), "cargo tree prints something new: plugin v0.1.0");
        assert_eq!(refused("0\tplugin 0.1.0"), "cargo tree prints something new: 0\tplugin 0.1.0");
        assert_eq!(refused("1\tkit v0.1.0"), "cargo tree prints something new: 1\tkit v0.1.0");
        assert_eq!(refused("0\tstranger v1.0.0"), "Cargo.lock lacks stranger@1.0.0");
    }

    #[test]
    fn a_module_has_the_crates_of_its_own_filter_alone() {
        let names = |filter| {
            let crates = of(filter).unwrap();
            crates.into_values().map(|found| found.name).collect::<BTreeSet<_>>()
        };
        let has = |names: &BTreeSet<String>, name: &str| names.contains(name);
        let rate_limit = names(Some("rate-limit"));
        assert!(has(&rate_limit, "rate-limit") && has(&rate_limit, "kit") && has(&rate_limit, "siphasher"));
        assert!(!has(&rate_limit, "rsa") && !has(&rate_limit, "jwt-auth") && !has(&rate_limit, "proptest"));
        let jwt_auth = names(Some("jwt-auth"));
        assert!(has(&jwt_auth, "jwt-auth") && has(&jwt_auth, "rsa") && !has(&jwt_auth, "rate-limit"));
        let bundle = names(None);
        assert!(bundle.is_superset(&rate_limit) && bundle.is_superset(&jwt_auth));
        // Those that build, and those that only run while others are compiled, are not in the module.
        assert!(!has(&bundle, "walrus") && !has(&bundle, "serde_derive") && !has(&bundle, "autocfg"));
    }

    #[test]
    fn a_filter_says_what_it_is_for() {
        assert!(description("rate-limit").unwrap().starts_with("Limits how often"));
        assert_eq!(description("stranger").unwrap_err(), "the workspace has no stranger with a description");
    }
}
