//! The bill of materials of a module, in the form of CycloneDX 1.5, the same bytes for the same module.

use serde_json::{Value, json};

use crate::crates::{Crate, Crates};

/// What a bill of materials is about.
pub(crate) struct Subject<'a> {
    /// The name of the module.
    pub(crate) name: &'a str,
    /// Its version.
    pub(crate) version: &'a str,
    /// What it is for.
    pub(crate) description: &'a str,
    /// Its licence.
    pub(crate) license: &'a str,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub(crate) digest: &'a str,
}

/// The crate that makes a module of the others.
const ENTRY: &str = "plugin";

/// Returns the bill of a module with these crates, of a compiler of this version.
///
/// It has neither a time nor a serial number: those would be other bytes every time.
pub(crate) fn write(subject: &Subject<'_>, crates: &Crates, compiler: &str) -> Value {
    let std = format!("std@{compiler}");
    let module = format!("module:{}@{}", subject.name, subject.version);
    let entry = crates.iter().find(|(_, found)| found.name == ENTRY).map(|(id, _)| id);
    let mut components: Vec<Value> = crates.values().map(component).collect();
    components.push(json!({
        "type": "library",
        "bom-ref": std,
        "name": "std",
        "version": compiler,
        "description": "The standard library of Rust, as it came with the compiler.",
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
    }));
    let mut dependencies = vec![
        json!({"ref": module, "dependsOn": entry.into_iter().chain([&std]).collect::<Vec<_>>()}),
        json!({"ref": std, "dependsOn": []}),
    ];
    dependencies.extend(crates.iter().map(|(id, found)| json!({"ref": id, "dependsOn": found.uses})));
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "pack", "version": crate::VERSION}]},
            "component": {
                "type": "library",
                "bom-ref": module,
                "name": subject.name,
                "version": subject.version,
                "description": subject.description,
                "hashes": [{"alg": "SHA-256", "content": subject.digest}],
                "licenses": [{"expression": subject.license}],
            },
        },
        "components": components,
        "dependencies": dependencies,
    })
}

/// Describes a crate.
fn component(found: &Crate) -> Value {
    let Crate { name, version, license, repository, checksum, uses: _ } = found;
    let mut component = json!({
        "type": "library",
        "bom-ref": format!("{name}@{version}"),
        "name": name,
        "version": version,
        "scope": "required",
    });
    let mut set = |field: &str, value: Value| {
        if let Value::Object(members) = &mut component {
            members.insert(field.to_owned(), value);
        }
    };
    if !license.is_empty() {
        set("licenses", json!([{"expression": license}]));
    }
    if !repository.is_empty() {
        set("externalReferences", json!([{"type": "vcs", "url": repository}]));
    }
    // What the workspace calls `kit` is not what the registry calls so: only what is from there has an address there.
    if let Some(checksum) = checksum {
        set("purl", format!("pkg:cargo/{name}@{version}").into());
        set("hashes", json!([{"alg": "SHA-256", "content": checksum}]));
    }
    component
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn found(name: &str, checksum: Option<&str>, uses: &[&str]) -> (String, Crate) {
        let found = Crate {
            name: name.to_owned(),
            version: "1.2.3".to_owned(),
            license: "MIT".to_owned(),
            repository: checksum.map(|_| "https://example.com/x".to_owned()).unwrap_or_default(),
            checksum: checksum.map(str::to_owned),
            uses: uses.iter().map(|id| (*id).to_owned()).collect(),
        };
        (format!("{name}@1.2.3"), found)
    }

    fn bill() -> Value {
        let crates = Crates::from([
            found("plugin", None, &["kit@1.2.3"]),
            found("kit", None, &["subtle@1.2.3"]),
            found("subtle", Some("abcd"), &[]),
        ]);
        let subject = Subject {
            name: "noop",
            version: "1.2.3",
            description: "Does nothing.",
            license: "MIT",
            digest: "ef",
        };
        write(&subject, &crates, "1.95.0")
    }

    #[test]
    fn lists_every_crate_and_the_standard_library() {
        let bill = bill();
        let components = bill["components"].as_array().unwrap();
        let names: Vec<_> = components.iter().map(|component| component["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["kit", "plugin", "subtle", "std"]);
        assert_eq!(components[3]["version"], "1.95.0");
        assert_eq!(
            components[2],
            json!({
                "type": "library",
                "bom-ref": "subtle@1.2.3",
                "name": "subtle",
                "version": "1.2.3",
                "scope": "required",
                "licenses": [{"expression": "MIT"}],
                "externalReferences": [{"type": "vcs", "url": "https://example.com/x"}],
                "purl": "pkg:cargo/subtle@1.2.3",
                "hashes": [{"alg": "SHA-256", "content": "abcd"}],
            }),
        );
    }

    #[test]
    fn a_crate_of_the_workspace_is_not_taken_for_one_of_the_registry() {
        let bill = bill();
        let kit = &bill["components"][0];
        assert_eq!((kit.get("purl"), kit.get("hashes")), (None, None));
    }

    #[test]
    fn says_who_uses_whom_and_names_nobody_who_is_not_listed() {
        let bill = bill();
        let dependencies = bill["dependencies"].as_array().unwrap();
        assert_eq!(
            dependencies[0],
            json!({"ref": "module:noop@1.2.3", "dependsOn": ["plugin@1.2.3", "std@1.95.0"]})
        );
        let components = bill["components"].as_array().unwrap().iter();
        let mut known: BTreeSet<_> =
            components.map(|component| component["bom-ref"].clone().to_string()).collect();
        known.insert(bill["metadata"]["component"]["bom-ref"].to_string());
        let refs: BTreeSet<_> = dependencies.iter().map(|entry| entry["ref"].to_string()).collect();
        assert_eq!(refs, known);
        for entry in dependencies {
            let uses = entry["dependsOn"].as_array().unwrap();
            assert!(uses.iter().all(|used| known.contains(&used.to_string())), "{entry}");
        }
    }

    #[test]
    fn has_neither_time_nor_serial_number() {
        let (one, other) = (bill(), bill());
        assert_eq!((one.get("serialNumber"), one["metadata"].get("timestamp")), (None, None));
        assert_eq!(one.to_string(), other.to_string());
    }
}
