//! Short names for functions: a trap should say where it was, and a module shouldn't be a fifth names.
//!
//! ```text
//! _ZN3kit5chain11ChainStream4pump17h90c97c2321e69677E                  kit::chain::ChainStream::pump
//! <kit::shell::HttpStream as proxy_wasm::traits::HttpContext>::on_log  kit::shell::HttpStream::on_log
//! ```
//!
//! What tells instances of one function apart goes: hashes, generic arguments, `<impl ...>`; so do the modules of the
//! standard library. Several functions may have the same name then, which a name section allows.

use std::collections::HashMap;

use walrus::ir::Local;
use walrus::{Data, Global, ImportKind, Module};

/// How many bytes a name may have. The end of a path says most, so leading segments go first.
const MAX_LENGTH: usize = 70;

/// The crates of the standard library, whose names are known without the modules that they are in.
const STANDARD: [&str; 3] = ["core", "alloc", "std"];

/// Shortens the names of functions, and deletes those of all else that a linker names: globals, data, locals.
pub(crate) fn shorten(module: &mut Module) {
    let imports: HashMap<_, _> = module
        .imports
        .iter()
        .filter_map(|import| match import.kind {
            ImportKind::Function(function) => Some((function, import.name.clone())),
            ImportKind::Table(_) | ImportKind::Memory(_) | ImportKind::Global(_) | ImportKind::Tag(_) => None,
        })
        .collect();
    for function in module.funcs.iter_mut() {
        function.name = match imports.get(&function.id()) {
            Some(import) => Some(import.clone()),
            None => function.name.as_deref().map(short),
        };
    }

    let globals: Vec<_> = module.globals.iter().map(Global::id).collect();
    globals.into_iter().for_each(|global| module.globals.get_mut(global).name = None);
    let data: Vec<_> = module.data.iter().map(Data::id).collect();
    data.into_iter().for_each(|data| module.data.get_mut(data).name = None);
    let locals: Vec<_> = module.locals.iter().map(Local::id).collect();
    locals.into_iter().for_each(|local| module.locals.get_mut(local).name = None);
}

/// Returns a short readable name for a linker's symbol.
fn short(symbol: &str) -> String {
    let name = match rustc_demangle::try_demangle(symbol) {
        Ok(name) => without_modules(path(&format!("{name:#}"))),
        Err(_) => symbol.to_owned(),
    };
    let mut rest = name.as_str();
    while MAX_LENGTH < rest.len()
        && let Some((_, end)) = rest.split_once("::")
    {
        rest = end;
    }
    rest.chars().take(MAX_LENGTH).collect()
}

/// Returns the last two segments of a path into the standard library, as in `Vec::push`, and any other whole.
fn without_modules(path: String) -> String {
    let standard = path.split("::").next().is_some_and(|root| STANDARD.contains(&root));
    let mut segments = path.rsplit("::");
    match (segments.next(), segments.next()) {
        (Some(name), Some(of)) if standard => format!("{of}::{name}"),
        _ => path,
    }
}

/// Returns a path without generic arguments, and with a type in place of `<type as trait>`.
fn path(full: &str) -> String {
    let segments: Vec<_> = split(full, "::")
        .into_iter()
        .enumerate()
        .filter_map(|(index, segment)| match segment.strip_prefix('<') {
            Some(inner) if index == 0 && !segment.starts_with("<impl ") => {
                Some(subject(inner.strip_suffix('>').unwrap_or(inner)))
            }
            // Either an implementation that the rest of the path names anyway, or arguments.
            Some(_) => None,
            None => Some(plain(segment)),
        })
        .collect();
    segments.join("::")
}

/// Returns the path of what is between the angle brackets that a path begins with: the type, or the trait if the
/// type is a parameter or has no name.
fn subject(inner: &str) -> String {
    let mut parts = split(inner, " as ").into_iter();
    let mut kind = parts.next().unwrap_or(inner);
    while let Some(referent) = ["&", "mut ", "dyn "].iter().find_map(|prefix| kind.strip_prefix(prefix)) {
        kind = referent;
    }
    let nameless = kind.len() == 1 || kind.starts_with(['[', '(', '*']) || kind.starts_with("fn(");
    match parts.next() {
        Some(implemented) if nameless => path(implemented),
        _ => path(kind),
    }
}

/// Returns a segment without generic arguments, and `{closure}` however a mangling writes it.
fn plain(segment: &str) -> String {
    match segment.strip_prefix('{') {
        Some(inner) => {
            let word = inner.trim_matches(['{', '}']).split('#').next().unwrap_or(inner);
            format!("{{{word}}}")
        }
        // The compiler numbers copies of a function, as in `fmt.66`.
        None => segment.split(['<', '.', '{']).next().unwrap_or(segment).to_owned(),
    }
}

/// Splits at a separator that is not within brackets.
fn split<'text>(text: &'text str, separator: &str) -> Vec<&'text str> {
    let (mut depth, mut previous, mut from) = (0_usize, ' ', 0);
    let mut parts = Vec::new();
    for (at, character) in text.char_indices() {
        match character {
            '<' | '(' | '[' | '{' => depth = depth.saturating_add(1),
            // The arrow before what a function returns.
            '>' if previous == '-' => {}
            '>' | ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ if depth == 0
                && from <= at
                && text.get(at..).is_some_and(|rest| rest.starts_with(separator)) =>
            {
                parts.extend(text.get(from..at));
                from = at.saturating_add(separator.len());
            }
            _ => {}
        }
        previous = character;
    }
    parts.extend(text.get(from..));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_become_short_paths() {
        let table = [
            ("_ZN3kit5chain11ChainStream4pump17h90c97c2321e69677E", "kit::chain::ChainStream::pump"),
            (
                "_ZN75_$LT$rate_limit..filter..RateLimitStream$u20$as$u20$kit..filter..Stream$GT$18on_request_headers\
                 17hc80b59ee7e4f3fc6E",
                "rate_limit::filter::RateLimitStream::on_request_headers",
            ),
            (
                "_ZN5alloc11collections5btree6search91_$LT$impl$u20$alloc..collections..btree..node..NodeRef$LT$\
                 BorrowType$C$K$C$V$C$Type$GT$$GT$14find_key_index17h4a7e26f6fce45474E",
                "search::find_key_index",
            ),
            ("_ZN5alloc7raw_vec19RawVec$LT$T$C$A$GT$8grow_one17h072f00123e8f72b6E", "RawVec::grow_one"),
            (
                "_ZN4core3ptr73drop_in_place$LT$core..option..Option$LT$kit..path..PathPredicate$GT$$GT$\
                 17h64bff496f08e7fe2E",
                "ptr::drop_in_place",
            ),
            ("_ZN42_$LT$$RF$T$u20$as$u20$core..fmt..Debug$GT$3fmt17he25f2a447d2b074cE", "Debug::fmt"),
            (
                "_ZN3kit6config5words7nearest28_$u7b$$u7b$closure$u7d$$u7d$17h0160d3e991f3bca7E",
                "kit::config::words::nearest::{closure}",
            ),
            (
                "_ZN4core3ops8function6FnOnce40call_once$u7b$$u7b$vtable.shim$u7d$$u7d$17hddcad97cadc39c69E",
                "FnOnce::call_once",
            ),
            ("_RNvNtCsdHhIpgkcIfN_4core3str16slice_error_fail", "str::slice_error_fail"),
            ("_RNvMNtNtCsdHhIpgkcIfN_4core4char7methodsc16escape_debug_ext", "char::escape_debug_ext"),
            ("_RNvXs1i_NtCsdHhIpgkcIfN_4core3fmtReNtB6_7Display3fmtB8_", "str::fmt"),
            (
                "_RNvXNvNtCset5xJoy1xWQ_3std2io17default_write_fmtINtB2_7AdapterINtNtB4_6cursor6CursorQShEENtNt\
                 CsdHhIpgkcIfN_4core3fmt5Write9write_strB6_",
                "Adapter::write_str",
            ),
            ("_RNvXsK_NtCsdHhIpgkcIfN_4core3fmtNtB5_5ErrorNtB5_5Debug3fmt.49", "Error::fmt"),
            ("dlmalloc", "dlmalloc"),
            ("proxy_on_request_headers", "proxy_on_request_headers"),
        ];
        for (symbol, expected) in table {
            assert_eq!(short(symbol), expected, "{symbol}");
        }
    }

    #[test]
    fn paths_lose_what_tells_instances_apart() {
        let table = [
            ("<&mut dyn kit::host::Host as a::B<fn(u8) -> u8>>::c::<d::E>", "kit::host::Host::c"),
            ("<<a::B as c::D>::E as f::G>::h::{closure#1}::i", "a::B::E::h::{closure}::i"),
            ("<fn(&a::B) -> c::D as e::F>::call", "e::F::call"),
            ("<[a::B] as e::F>::eq", "e::F::eq"),
            ("<a::B<c::D>>::e", "a::B::e"),
        ];
        for (full, expected) in table {
            assert_eq!(path(full), expected, "{full}");
        }
    }

    #[test]
    fn a_long_name_loses_its_head() {
        let segment = "a".repeat(40);
        assert_eq!(short(&format!("{segment}::{segment}::b")), format!("{segment}::b"));
        assert_eq!(short(&"a".repeat(MAX_LENGTH + 1)), "a".repeat(MAX_LENGTH));
    }

    #[test]
    fn imports_have_the_names_that_the_host_knows_and_only_functions_have_names() {
        let mut module = Module::from_buffer(
            &wat::parse_str(
                r#"(module
                    (import "env" "proxy_log" (func $_ZN3kit3raw9proxy_log17h90c97c2321e69677E))
                    (memory 1)
                    (global $__stack_pointer i32 (i32.const 0))
                    (data $.rodata (i32.const 0) "a")
                    (func $_ZN3kit3run17h90c97c2321e69677E (param $self i32) (local $x i32)))"#,
            )
            .unwrap(),
        )
        .unwrap();
        shorten(&mut module);
        let names: Vec<_> = module.funcs.iter().filter_map(|function| function.name.as_deref()).collect();
        assert_eq!(names, ["proxy_log", "kit::run"]);
        assert!(module.globals.iter().all(|global| global.name.is_none()));
        assert!(module.data.iter().all(|data| data.name.is_none()));
        assert!(module.locals.iter().all(|local| local.name.is_none()));
    }
}
