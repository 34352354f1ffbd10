//! From the bytes of a plugin's configuration to a chain: one filter, or the bundle's list of them.

use std::rc::Rc;

use crate::chain::{Chain, Link};
use crate::config::{self, Node, Problems};
use crate::filter::{Callbacks, Kind};
use crate::identity::digest;
use crate::setup::{Metrics, Setup};

/// What a `.wasm` file offers.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Its filters.
    pub kinds: &'static [Kind],
    /// Whether the configuration is `{"chain": [{"<filter>": {...}}, ...]}`, or that of the only filter.
    pub form: Form,
}

/// The form of a module's configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// That of the only filter.
    Single,
    /// A list of filters.
    Chain,
}

/// What the module of all filters is called; any other is called as its filter.
const BUNDLE: &str = "sluice";

/// A configuration that was accepted.
pub struct Configured {
    /// The filters.
    pub chain: Rc<Chain>,
    /// The metrics they use.
    pub metrics: Metrics,
    /// What they are, for the log: `rate-limit 0.1.0, configuration 0123456789abcdef`.
    pub summary: String,
}

impl Module {
    /// Returns the callbacks that any of its filters uses.
    pub fn callbacks(&self) -> Callbacks {
        self.kinds.iter().fold(Callbacks::default(), |all, kind| all.or(kind.callbacks))
    }

    /// Returns the name of the gauge that tells an operator which module runs: `sluice.<module>.build_info.<version>`.
    pub fn build_info(&self) -> String {
        let first = self.kinds.first();
        let name = match self.form {
            Form::Single => first.map_or("", |kind| kind.name),
            Form::Chain => BUNDLE,
        };
        format!("sluice.{name}.build_info.{}", first.map_or("", |kind| kind.version))
    }

    /// Reads a plugin's configuration.
    ///
    /// `plugin` tells this plugin from others of the process: its name, its root id.
    ///
    /// # Errors
    ///
    /// All problems, each with its path.
    pub fn configure(
        &self,
        bytes: &[u8],
        plugin: &[&[u8]],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Configured, Problems> {
        let mut metrics = Metrics::default();
        let links = config::read(bytes, |node| match self.form {
            Form::Single => {
                let kind = self.kinds.first()?;
                Some(vec![link(kind, kind.name, node, &mut metrics, environment)?])
            }
            Form::Chain => self.chain(node, &mut metrics, environment),
        })?;
        let mut parts = plugin.to_vec();
        parts.push(match self.form {
            Form::Single => b"single",
            Form::Chain => b"chain",
        });
        let names: Vec<String> =
            self.kinds.iter().map(|kind| format!("{} {}", kind.name, kind.version)).collect();
        let summary = format!("{}, configuration {}", names.join(", "), digest(&[bytes]));
        Ok(Configured { chain: Rc::new(Chain::new(links, digest(&parts))), metrics, summary })
    }

    fn chain(
        &self,
        node: &Node<'_>,
        metrics: &mut Metrics,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Vec<Link>> {
        let mut object = node.object()?;
        let elements = object.required("chain").and_then(|chain| chain.non_empty_list());
        object.finish();
        let mut links: Vec<Link> = Vec::new();
        let mut complete = true;
        for element in elements? {
            match self.element(&element, metrics, environment) {
                Some(link) if links.iter().any(|other| other.name == link.name) => {
                    element.refuse(format!(
                        "the chain already has a filter called \"{}\"; give this one another `name`",
                        link.name
                    ));
                    complete = false;
                }
                Some(link) => links.push(link),
                None => complete = false,
            }
        }
        complete.then_some(links)
    }

    /// Reads `{"<filter>": {...}}`, with an optional `name` beside the filter.
    fn element(
        &self,
        element: &Node<'_>,
        metrics: &mut Metrics,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Link> {
        let mut object = element.object()?;
        let name = object.optional("name");
        let own_name = name.as_ref().and_then(|name| name.name());
        let mut links = Vec::new();
        let mut found = 0_usize;
        for kind in self.kinds {
            if let Some(node) = object.optional(kind.name) {
                found = found.saturating_add(1);
                links.extend(link(kind, own_name.unwrap_or(kind.name), &node, metrics, environment));
            }
        }
        object.finish();
        if found == 0 {
            let names: Vec<&str> = self.kinds.iter().map(|kind| kind.name).collect();
            element.refuse(format!("names no filter of this module (it has {})", names.join(", ")));
        }
        if 1 < found {
            element.refuse("names several filters; give each its own element of the chain");
        }
        links.pop()
    }
}

fn link(
    kind: &Kind,
    name: &str,
    node: &Node<'_>,
    metrics: &mut Metrics,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<Link> {
    let filter = (kind.configure)(node, &mut Setup::new(name, metrics, environment))?;
    Some(Link { name: name.to_owned(), callbacks: kind.callbacks, filter })
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    static KINDS: [Kind; 2] = [kind("rate-limit"), kind("jwt-auth")];

    const fn kind(name: &'static str) -> Kind {
        let callbacks = Callbacks {
            request_body: false,
            response_headers: false,
            response_body: false,
            response_trailers: false,
            hold: false,
            hold_response: false,
            end: false,
            callout: false,
        };
        Kind { name, version: "1.2.3-rc.1", callbacks, configure: |_, _| None }
    }

    #[test]
    fn a_module_is_called_as_its_filter_and_the_bundle_as_the_project() {
        let build_info = |form| Module { kinds: &KINDS, form }.build_info();
        assert_eq!(build_info(Form::Single), "sluice.rate-limit.build_info.1.2.3-rc.1");
        assert_eq!(build_info(Form::Chain), "sluice.sluice.build_info.1.2.3-rc.1");
    }
}
