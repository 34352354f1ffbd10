//! The fields of an object, known and unknown.

use std::collections::BTreeMap;

use crate::value::Value;

use super::Node;
use super::words::{self, nearest};

/// The fields of an object.
pub struct Object<'a> {
    node: Node<'a>,
    fields: &'a [(String, Value)],
    known: Vec<&'static str>,
    /// What it needs and has not.
    lacks: Vec<String>,
}

const REQUIRED: &str = "is required";

impl<'a> Object<'a> {
    pub(super) fn new(node: Node<'a>, fields: &'a [(String, Value)]) -> Self {
        Self { node, fields, known: Vec::new(), lacks: Vec::new() }
    }

    /// Returns whether a field is there, be it without a value.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    /// Returns a field that must be there.
    pub fn required(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.known.push(name);
        match self.find(name) {
            Some(node) if *node.value == Value::Null => node.refused("has no value"),
            Some(node) => Some(node),
            None => {
                self.node.inside(words::field_path(&self.node.path, name), self.node.value).refused(REQUIRED)
            }
        }
    }

    /// Returns a field if it is there.
    ///
    /// A field without a value is refused: whoever wrote it meant something, perhaps not the default.
    pub fn optional(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.known.push(name);
        let node = self.find(name)?;
        if *node.value == Value::Null {
            return node.refused("has no value; remove it or give one");
        }
        Some(node)
    }

    /// Refuses an object that has none of these fields: `needs one of exact, prefix`.
    ///
    /// [`Object::finish`] says so, unless there is an unknown field, which may be one of them misspelt.
    pub fn needs_one_of(&mut self, names: &[&str], text: &str) {
        if !names.iter().any(|name| self.has(name)) {
            self.lacks.push(text.to_owned());
        }
    }

    /// Finishes an object that must have exactly one of these fields, and returns it.
    ///
    /// The texts are for an object that has none of them, and for one that has several.
    pub fn one_of(
        mut self,
        names: &[&'static str],
        none: &str,
        several: &str,
    ) -> Option<(&'static str, Node<'a>)> {
        let mut given: Vec<_> = names.iter().filter_map(|name| Some((*name, self.optional(name)?))).collect();
        self.needs_one_of(names, none);
        if given.len() > 1 {
            self.node.refuse(several);
            given.clear();
        }
        self.finish();
        given.pop()
    }

    /// Returns every field, of an object whose names are free, and refuses names that occur twice.
    ///
    /// This takes the place of asking for fields by name and of [`Object::finish`].
    pub fn entries(&self) -> Vec<(&'a str, Node<'a>)> {
        let mut entries = Vec::new();
        let mut seen = BTreeMap::new();
        for (name, value) in self.fields {
            let node = self.node.inside(words::field_path(&self.node.path, name), value);
            let times = seen.entry(name.as_str()).or_insert(0_usize);
            match times {
                0 => entries.push((name.as_str(), node)),
                1 => node.refuse("occurs twice"),
                _ => {}
            }
            *times = times.saturating_add(1);
        }
        entries
    }

    /// Refuses fields that nobody asked for, with the nearest name that is known, and those that occur twice.
    ///
    /// A required field whose name is only misspelt is not said to be missing as well.
    pub fn finish(self) {
        let mut lacks = self.lacks.as_slice();
        for (name, node) in self.entries() {
            if self.known.contains(&name) {
                continue;
            }
            let hint = match nearest(name, &self.known) {
                Some(known) => {
                    let path = words::field_path(&self.node.path, known);
                    self.node.problems.borrow_mut().take_back(&path, REQUIRED);
                    format!(", did you mean \"{known}\"?")
                }
                None if self.known.is_empty() => String::new(),
                None => format!(" (known: {})", self.known.join(", ")),
            };
            node.refuse(format!("unknown field{hint}"));
            lacks = &[];
        }
        for text in lacks {
            self.node.refuse(text);
        }
    }

    fn find(&self, name: &str) -> Option<Node<'a>> {
        let (_, value) = self.fields.iter().find(|(field, _)| field == name)?;
        Some(self.node.inside(words::field_path(&self.node.path, name), value))
    }
}
