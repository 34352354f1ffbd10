//! Where a value of a request is: in which header, parameter or field of the body, and where in that.

use kit::config::{Node, Object, each};
use kit::header::{Field, Found, parse_name};
use kit::value::Value;

use crate::message::{JsonPath, Message};
use crate::reason::Reason;

/// Where a value is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Source {
    pub(crate) place: Place,
    /// How the value is one of a list.
    pub(crate) list: Option<List>,
    /// What stands before the value and is no part of it.
    pub(crate) prefix: String,
}

/// What of a request has the value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// Headers, the first of which counts if only one value is wanted.
    Headers(Vec<String>),
    /// A parameter of the query.
    Query(String),
    /// A field of a form.
    Form(String),
    /// A member of JSON.
    Json(JsonPath),
}

/// A list of values, or of named ones: `t=1,v1=2`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct List {
    /// What stands between items; nothing if there is one only.
    pub(crate) separator: String,
    /// What stands between the name of an item and its value, and the name.
    pub(crate) named: Option<(String, String)>,
}

/// The fields of an object that say where a value is.
const PLACES: [&str; 4] = ["header", "query", "form", "json"];

const NO_PLACE: &str = "needs one of header, query, form, json";

impl Source {
    /// Reads a source that is a whole object; the caller finishes it.
    ///
    /// `key_id` is what `{key_id}` stands for as the name of items.
    pub(crate) fn parse(object: &mut Object<'_>, node: &Node<'_>, key_id: Option<&str>) -> Option<Self> {
        let header = object.optional("header").map(|header| headers(&header).map(Place::Headers));
        let query = object.optional("query").map(|name| plain_name(&name).map(Place::Query));
        let form = object.optional("form").map(|name| plain_name(&name).map(Place::Form));
        let json = object.optional("json").map(|path| json_path(&path).map(Place::Json));
        object.needs_one_of(&PLACES, NO_PLACE);
        let separator = object.optional("separator").map(|text| text.non_empty_text().map(str::to_owned));
        let assign = object.optional("assign").map(|text| text.non_empty_text().map(str::to_owned));
        let field_node = object.optional("field");
        let field = field_node.as_ref().map(|name| item_name(name, key_id));
        let prefix = object.optional("prefix").map(|text| text.non_empty_text().map(str::to_owned));
        let mut places = [header, query, form, json].into_iter().flatten();
        let (place, more) = (places.next(), places.next());
        if more.is_some() {
            node.refuse("takes only one of header, query, form, json");
            return None;
        }
        if assign.is_some() && field.is_none() {
            node.refuse("has `assign`, but no `field`: the name of the items that count");
            return None;
        }
        let named = match (field, assign) {
            (None, _) => None,
            (Some(field), None) => Some(("=".to_owned(), field?)),
            (Some(field), Some(assign)) => Some((assign?, field?)),
        };
        let separator = separator.map_or(Some(None), |separator| separator.map(Some))?;
        let list = match (separator, named) {
            (None, None) => None,
            (separator, named) => Some(List { separator: separator.unwrap_or_default(), named }),
        };
        Some(Self { place: place??, list, prefix: prefix.map_or(Some(String::new()), |prefix| prefix)? })
    }

    /// Tells whether the value is in the body, so that nobody knows it before its end.
    pub(crate) fn is_in_body(&self) -> bool {
        matches!(self.place, Place::Form(_) | Place::Json(_))
    }

    /// Returns the headers that have the value.
    pub(crate) fn headers(&self) -> &[String] {
        match &self.place {
            Place::Headers(names) => names,
            Place::Query(_) | Place::Form(_) | Place::Json(_) => &[],
        }
    }

    /// Returns the value. None if there is none.
    ///
    /// # Errors
    ///
    /// There are several, or the body can't be read.
    pub(crate) fn one(&self, message: &Message<'_>) -> Result<Option<Vec<u8>>, Reason> {
        let (mut values, mut items, mut found) = (0_usize, 0_usize, None);
        self.values(message, false, &mut |value| {
            if values == 0 {
                self.items(value, &mut |item| {
                    items = items.saturating_add(1);
                    found = Some(item.to_vec());
                });
            }
            values = values.saturating_add(1);
        })?;
        if 1 < items { Err(Reason::Duplicate) } else { Ok(found.filter(|item| !item.is_empty())) }
    }

    /// Shows every value, one after the other.
    ///
    /// # Errors
    ///
    /// Something that may occur once only occurs twice, or the body can't be read. `repeated` says that a header may. What
    /// was shown then doesn't count.
    pub(crate) fn each(
        &self,
        message: &Message<'_>,
        repeated: bool,
        show: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Reason> {
        self.values(message, repeated, &mut |value| self.items(value, show))
    }

    /// Shows each text that may have values in it.
    fn values(
        &self,
        message: &Message<'_>,
        repeated: bool,
        show: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Reason> {
        match &self.place {
            Place::Headers(names) => {
                for name in names {
                    match message.request.find(name) {
                        Found::Absent => {}
                        Found::One(value) => show(&value),
                        Found::Many if repeated => {
                            message.request.header(name).values().iter().for_each(|value| show(value));
                        }
                        Found::Many => return Err(Reason::Duplicate),
                    }
                }
            }
            Place::Query(name) => show_only(message.parameter(name), show)?,
            Place::Form(name) => show_only(message.field(name)?, show)?,
            Place::Json(path) => {
                if let Some(text) = message.text(path)? {
                    show(text.as_bytes());
                }
            }
        }
        Ok(())
    }

    /// Shows the values in a text: those items of a list that have the name and the prefix.
    fn items(&self, value: &[u8], show: &mut dyn FnMut(&[u8])) {
        let mut show = |value: &[u8]| {
            if let Some(value) = value.strip_prefix(self.prefix.as_bytes()) {
                show(value);
            }
        };
        let Some(list) = &self.list else {
            return show(value);
        };
        split(value, list.separator.as_bytes(), &mut |item| {
            let item = item.trim_ascii();
            let value = match &list.named {
                None => Some(item),
                Some((assign, name)) => {
                    item.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(assign.as_bytes()))
                }
            };
            if let Some(value) = value {
                show(value);
            }
        });
    }
}

/// Shows a value that may occur once only.
fn show_only(field: Field, show: &mut dyn FnMut(&[u8])) -> Result<(), Reason> {
    match field {
        Field::Absent => {}
        Field::One(value) => show(&value),
        Field::Many(_) => return Err(Reason::Duplicate),
    }
    Ok(())
}

/// Splits bytes; by nothing, they are one piece.
fn split(mut value: &[u8], separator: &[u8], show: &mut dyn FnMut(&[u8])) {
    if !separator.is_empty() {
        while let Some(position) = value.windows(separator.len()).position(|window| window == separator) {
            let (piece, rest) = value.split_at_checked(position).unwrap_or((value, b""));
            show(piece);
            value = rest.get(separator.len()..).unwrap_or_default();
        }
    }
    show(value);
}

/// Reads the name of a header, or of several.
fn headers(node: &Node<'_>) -> Option<Vec<String>> {
    match node.value() {
        Value::List(_) => each(&node.non_empty_list()?, parse_name),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Object(_) => {
            Some(vec![parse_name(node)?])
        }
    }
}

fn plain_name(node: &Node<'_>) -> Option<String> {
    node.non_empty_text().map(str::to_owned)
}

/// Reads a path into JSON.
pub(crate) fn json_path(node: &Node<'_>) -> Option<JsonPath> {
    let path = JsonPath::of(node.text()?);
    if path.is_none() {
        node.refuse("is no path: names and numbers with dots between them (example: data.object.id)");
    }
    path
}

fn item_name(node: &Node<'_>, key_id: Option<&str>) -> Option<String> {
    match (node.non_empty_text()?, key_id) {
        ("{key_id}", Some(key_id)) => Some(key_id.to_owned()),
        ("{key_id}", None) => {
            node.refuse("stands for the `key_id` of the endpoint, which has none");
            None
        }
        (name, _) => Some(name.to_owned()),
    }
}
