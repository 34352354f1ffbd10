//! Takes the methods out of the SDK's vtables that nobody calls.
//!
//! The SDK holds contexts as `Box<dyn HttpContext>` and `Box<dyn RootContext>`, so each has a vtable with all hundred
//! methods of its traits, and each method brings the host call that it wraps with every panic of that. Nothing in a
//! module shows a linker that most are never called. The source of the SDK does:
//!
//! - Only its dispatcher calls through these vtables, because nobody else has such a `dyn`. What it calls are the
//!   callbacks, `on_*`, and [`CONSTRUCTORS`]. All other methods wrap host calls for the code of a filter, which
//!   calls them directly or not at all; the kit makes its own host calls.
//! - It calls a callback only when the host calls the export, so a method of [`LISTENERS`] goes with its export.
//!
//! One method of the kit goes in the same way: a filter that sends requests says so, hence [`CALL`] goes when the
//! answers are not exported.
//!
//! A method goes only if no code calls it directly, and if it calls something itself: a body of a few instructions
//! gains nothing, and is what an optimiser could have merged with a function of somebody else. What such methods
//! leave in the table is a function that traps, so a mistake here is a trap with a name and not a wrong answer.

use std::collections::HashSet;

use walrus::ir::{Visitor, dfs_in_order};
use walrus::{ElementItems, FunctionBuilder, FunctionId, Module};

use crate::names;

/// Where the traits of contexts are.
const TRAITS: &str = "proxy_wasm::traits::";

/// Methods that the dispatcher calls beside callbacks.
const CONSTRUCTORS: [&str; 3] = ["create_http_context", "create_stream_context", "get_type"];

/// Callbacks that a module may lack, and for which export the dispatcher calls them.
const LISTENERS: [(&str, &str); 9] = [
    ("on_http_request_body", "proxy_on_request_body"),
    ("on_http_request_trailers", "proxy_on_request_trailers"),
    ("on_http_response_headers", "proxy_on_response_headers"),
    ("on_http_response_body", "proxy_on_response_body"),
    ("on_http_response_trailers", "proxy_on_response_trailers"),
    ("on_log", "proxy_on_log"),
    ("on_http_call_response", "proxy_on_http_call_response"),
    ("on_tick", "proxy_on_tick"),
    ("on_done", "proxy_on_done"),
];

/// What sends a request to another upstream, and the export that hears the answer.
const CALL: (&str, &str, &str) = ("kit::host::Host", "call", "proxy_on_http_call_response");

/// The name of what is in the place of such a method.
const STUB: &str = "pack::uncalled";

/// Puts a trap into every slot of a table whose method is never called, when these callbacks are exported.
pub(crate) fn methods(module: &mut Module, callbacks: &[&str]) {
    let mut called = HashSet::new();
    let mut calling = HashSet::new();
    for (id, function) in module.funcs.iter_local() {
        let mut callees = Callees::default();
        dfs_in_order(&mut callees, function, function.entry_block());
        if !callees.0.is_empty() {
            calling.insert(id);
        }
        called.extend(callees.0);
    }
    let uncalled: HashSet<_> = calling
        .difference(&called)
        .filter(|id| module.funcs.get(**id).name.as_deref().is_some_and(|name| is_uncalled(name, callbacks)))
        .copied()
        .collect();
    if uncalled.is_empty() {
        return;
    }

    let mut builder = FunctionBuilder::new(&mut module.types, &[], &[]);
    builder.name(STUB.to_owned()).func_body().unreachable();
    // One for all: a call that expects other parameters than it has traps as well.
    let stub = module.funcs.add_local(builder.local_func(Vec::new()));
    for element in module.elements.iter_mut() {
        if let ElementItems::Functions(functions) = &mut element.items {
            for function in functions.iter_mut().filter(|function| uncalled.contains(function)) {
                *function = stub;
            }
        }
    }
}

/// Says whether nobody calls the method that a symbol stands for through a vtable.
fn is_uncalled(symbol: &str, callbacks: &[&str]) -> bool {
    let path = names::demangle(symbol);
    let Some((of, method)) = method(&path) else {
        return false;
    };
    let (call_of, call, answer) = CALL;
    match of.strip_prefix(TRAITS) {
        Some("Context" | "RootContext" | "HttpContext" | "StreamContext") if method.starts_with("on_") => {
            LISTENERS.iter().any(|(listener, export)| *listener == method && !callbacks.contains(export))
        }
        Some("Context" | "RootContext" | "HttpContext" | "StreamContext") => !CONSTRUCTORS.contains(&method),
        _ => of == call_of && method == call && !callbacks.contains(&answer),
    }
}

/// Returns trait and name of a method: of `proxy_wasm::traits::Context::done` for a default that nobody overrides, of
/// `<kit::shell::Plugin as proxy_wasm::traits::Context>::done` for one that a type does, and in the newer mangling
/// for all.
fn method(path: &str) -> Option<(&str, &str)> {
    let (of, method) = path.rsplit_once("::")?;
    match of.strip_prefix('<') {
        Some(inner) => Some((inner.strip_suffix('>')?.rsplit_once(" as ")?.1, method)),
        None => Some((of, method)),
    }
}

/// The functions that a function calls, or takes the address of.
#[derive(Default)]
struct Callees(HashSet<FunctionId>);

impl Visitor<'_> for Callees {
    fn visit_function_id(&mut self, function: &FunctionId) {
        self.0.insert(*function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with methods of a context; `$kit` is called directly, and `$empty` calls nothing.
    const LINKED: &str = r#"(module
        (type $method (func (param i32) (result i32)))
        (import "env" "proxy_done" (func $host (param i32) (result i32)))
        (table funcref (elem $done $kit $empty $create $tick $log $other $call))
        (func $done (@name "_ZN10proxy_wasm6traits7Context4done17hb788241b5479973eE") (type $method)
            (call $host (i32.const 0)))
        (func $kit (@name "<kit::Stream as proxy_wasm::traits::HttpContext>::send_http_response") (type $method)
            (call $host (i32.const 1)))
        (func $empty (@name "proxy_wasm::traits::RootContext::set_tick_period") (type $method) (i32.const 2))
        (func $create (@name "proxy_wasm::traits::RootContext::get_type") (type $method)
            (call $host (i32.const 3)))
        (func $tick (@name "<kit::Plugin as proxy_wasm::traits::RootContext>::on_tick") (type $method)
            (call $host (i32.const 4)))
        (func $log (@name "<kit::Stream as proxy_wasm::traits::HttpContext>::on_log") (type $method)
            (call $kit (i32.const 5)))
        (func $other (@name "<kit::Stream as kit::filter::Stream>::on_tick") (type $method)
            (call $host (i32.const 6)))
        (func $call (@name "<kit::shell::Proxy as kit::host::Host>::call") (type $method)
            (call $host (i32.const 7)))
        (func (export "proxy_on_log") (type $method) (call_indirect (type $method) (i32.const 0) (i32.const 5))))"#;

    /// Returns the names in the table.
    fn table(callbacks: &[&str]) -> Vec<String> {
        let mut module = Module::from_buffer(&wat::parse_str(LINKED).unwrap()).unwrap();
        methods(&mut module, callbacks);
        walrus::passes::gc::run(&mut module);
        let module = Module::from_buffer(&module.emit_wasm()).unwrap();
        let slots = module.elements.iter().flat_map(|element| match &element.items {
            ElementItems::Functions(functions) => functions.clone(),
            ElementItems::Expressions(..) => Vec::new(),
        });
        slots.map(|id| module.funcs.get(id).name.clone().unwrap()).collect()
    }

    #[test]
    fn what_the_dispatcher_never_calls_goes() {
        assert_eq!(
            table(&["proxy_on_log"]),
            [
                STUB,
                "<kit::Stream as proxy_wasm::traits::HttpContext>::send_http_response",
                "proxy_wasm::traits::RootContext::set_tick_period",
                "proxy_wasm::traits::RootContext::get_type",
                STUB,
                "<kit::Stream as proxy_wasm::traits::HttpContext>::on_log",
                "<kit::Stream as kit::filter::Stream>::on_tick",
                STUB,
            ],
        );
    }

    #[test]
    fn a_callback_that_is_exported_stays() {
        let kept = table(&["proxy_on_log", "proxy_on_tick", "proxy_on_http_call_response"]);
        assert_eq!(kept.iter().filter(|name| *name == STUB).count(), 1);
    }

    #[test]
    fn methods_are_recognised_in_both_manglings() {
        let table = [
            (
                "_ZN10proxy_wasm6traits7Context4done17hb788241b5479973eE",
                Some(("proxy_wasm::traits::Context", "done")),
            ),
            (
                "_ZN70_$LT$kit..shell..Plugin$u20$as$u20$proxy_wasm..traits..RootContext$GT$7on_tick\
                 17h1a7d1c0652b4a857E",
                Some(("proxy_wasm::traits::RootContext", "on_tick")),
            ),
            (
                "_RNvXCs2_3kitNtB2_6PluginNtNtCs3_10proxy_wasm6traits11RootContext7on_tick",
                Some(("proxy_wasm::traits::RootContext", "on_tick")),
            ),
            (
                "_RNvYNtCs2_3kit6PluginNtNtCs3_10proxy_wasm6traits7Context4doneB4_",
                Some(("proxy_wasm::traits::Context", "done")),
            ),
            ("_ZN10proxy_wasm9hostcalls4done17hb788241b5479973eE", Some(("proxy_wasm::hostcalls", "done"))),
            ("proxy_on_done", None),
        ];
        for (symbol, expected) in table {
            assert_eq!(method(&names::demangle(symbol)), expected, "{symbol}");
        }
    }

    #[test]
    fn every_callback_that_can_be_pruned_is_known() {
        let all = kit::filter::Callbacks {
            request_body: true,
            response_headers: true,
            response_body: true,
            hold: true,
            end: true,
            callout: true,
        };
        let mut prunable = crate::needs::callbacks(all);
        prunable.retain(|callback| *callback != "proxy_on_request_headers");
        let mut known = LISTENERS.map(|(_, export)| export);
        prunable.sort_unstable();
        known.sort_unstable();
        assert_eq!(prunable, known);
    }
}
