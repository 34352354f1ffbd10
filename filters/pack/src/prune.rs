//! Takes from a module what its filters don't use, and adds what it says about itself.

use kit::filter::Callbacks;
use walrus::{Module, ModuleConfig, RawCustomSection};

use crate::{imports, names, needs};

/// What a module exports whatever its filters do. None of it is called for a request but the first, which forgets
/// what is known of it.
const ALWAYS: [&str; 7] = [
    "proxy_on_delete",
    // A timer lets waiting streams go, and tells the host what was counted.
    "proxy_on_tick",
    "proxy_on_vm_start",
    "proxy_on_configure",
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
];

/// What a module keeps if it has it: the SDK of the yardstick makes its contexts there. The shell has no need of it.
const IF_THERE: &str = "proxy_on_context_create";

/// The name under which the shell and the SDK export their allocator. The host would take `malloc` before it, whose blocks
/// the allocator of the kit may not have.
const ALLOCATOR: &str = "proxy_on_memory_allocate";

/// Returns the module without what isn't needed, with these custom sections.
///
/// # Errors
///
/// Refuses what is not a module, lacks an export that the host or a filter needs, or imports more than every
/// supported host offers.
pub(crate) fn module(
    input: &[u8],
    needs: Callbacks,
    sections: Vec<(&str, String)>,
) -> Result<Vec<u8>, String> {
    let mut module = ModuleConfig::new()
        .generate_producers_section(false)
        .generate_dwarf(false)
        .generate_synthetic_names_for_anonymous_items(false)
        .parse(input)
        .map_err(|error| format!("the input is not a module: {error:#}"))?;

    let callbacks = needs::callbacks(needs);
    exports(&mut module, &callbacks)?;
    walrus::passes::gc::run(&mut module);
    // After the collection: what only a pruned callback would have called is not wanted any more.
    imports::check(&module)?;
    names::shorten(&mut module);

    let ids: Vec<_> = module.customs.iter().map(|(id, _)| id).collect();
    for id in ids {
        module.customs.delete(id);
    }
    for (name, text) in sections {
        module.customs.add(RawCustomSection { name: name.to_owned(), data: text.into_bytes() });
    }
    Ok(module.emit_wasm())
}

/// Deletes every export but the needed ones.
fn exports(module: &mut Module, callbacks: &[&str]) -> Result<(), String> {
    let names: Vec<_> = module.exports.iter().map(|export| export.name.as_str()).collect();
    let missing: Vec<_> = ALWAYS
        .iter()
        .chain(callbacks)
        .filter(|name| !names.contains(name))
        .map(|name| format!("`{name}`"))
        .collect();
    if !missing.is_empty() {
        return Err(format!("the module does not export {}", missing.join(", ")));
    }
    if !names.contains(&ALLOCATOR) {
        return Err("the module exports no allocator, so the host could hand it nothing".to_owned());
    }

    let superfluous: Vec<_> = module
        .exports
        .iter()
        .filter(|export| {
            let name = export.name.as_str();
            !(ALWAYS.contains(&name) || name == IF_THERE || name == ALLOCATOR || callbacks.contains(&name))
        })
        .map(walrus::Export::id)
        .collect();
    for id in superfluous {
        module.exports.delete(id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module as the SDK links it, cut to what matters here: only the callback for trailers wants the clock, and
    /// nobody wants `$unused`.
    const LINKED: &str = r#"(module
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_res_get" (func $clock (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func $listen (drop (call $log (i32.const 0) (i32.const 0) (i32.const 0))))
        (func $trailers (drop (call $clock (i32.const 0) (i32.const 0))))
        (func $unused)
        (export "_initialize" (func $listen))
        (export "proxy_abi_version_0_2_1" (func $listen))
        (export "proxy_on_memory_allocate" (func $listen))
        (export "proxy_on_vm_start" (func $listen))
        (export "proxy_on_configure" (func $listen))
        (export "proxy_on_context_create" (func $listen))
        (export "proxy_on_delete" (func $listen))
        (export "proxy_on_tick" (func $listen))
        (export "proxy_on_request_headers" (func $listen))
        (export "proxy_on_request_body" (func $listen))
        (export "proxy_on_request_trailers" (func $trailers))
        (export "proxy_on_grpc_close" (func $unused))
        (@custom "producers" "\00")
        (@custom "target_features" "\00"))"#;

    fn linked() -> Vec<u8> {
        wat::parse_str(LINKED).unwrap()
    }

    fn head() -> Callbacks {
        Callbacks::default()
    }

    fn packed() -> Module {
        let sections = vec![("sluice.version", "noop 1.2.3".to_owned())];
        Module::from_buffer(&module(&linked(), head(), sections).unwrap()).unwrap()
    }

    #[test]
    fn only_needed_callbacks_stay_exported() {
        let module = packed();
        let mut callbacks: Vec<_> = module
            .exports
            .iter()
            .map(|export| export.name.as_str())
            .filter(|name| !ALWAYS.contains(name) && *name != IF_THERE)
            .collect();
        callbacks.sort_unstable();
        assert_eq!(callbacks, ["proxy_on_memory_allocate", "proxy_on_request_headers"]);
    }

    #[test]
    fn code_that_nothing_reaches_goes_and_names_stay() {
        let module = packed();
        let names: Vec<_> = module.funcs.iter().filter_map(|function| function.name.as_deref()).collect();
        assert_eq!(names, ["proxy_log", "listen"]);
    }

    #[test]
    fn the_only_custom_sections_are_the_stamps() {
        let module = packed();
        let sections: Vec<_> = module.customs.iter().map(|(_, section)| section.name().to_owned()).collect();
        assert_eq!(sections, ["sluice.version"]);
        let stamped =
            super::module(&linked(), head(), vec![("sluice.version", "noop 1.2.3".to_owned())]).unwrap();
        assert!(stamped.windows(10).any(|bytes| bytes == b"noop 1.2.3"));
        assert!(!stamped.windows(9).any(|bytes| bytes == b"producers"));
    }

    #[test]
    fn an_import_that_a_needed_callback_uses_is_refused() {
        let needs = Callbacks { request_body: true, ..head() };
        assert_eq!(
            module(&linked(), needs, Vec::new()).unwrap_err(),
            "the module imports `wasi_snapshot_preview1.clock_res_get`, which Envoy 1.36 does not offer: it would not \
             load",
        );
    }

    #[test]
    fn a_missing_export_is_named() {
        let needs = Callbacks { end: true, callout: true, ..head() };
        assert_eq!(
            module(&linked(), needs, Vec::new()).unwrap_err(),
            "the module does not export `proxy_on_log`, `proxy_on_http_call_response`",
        );
    }

    #[test]
    fn a_module_without_allocator_is_refused() {
        let text = LINKED.replace("proxy_on_memory_allocate", "allocate");
        assert_eq!(
            module(&wat::parse_str(text).unwrap(), head(), Vec::new()).unwrap_err(),
            "the module exports no allocator, so the host could hand it nothing",
        );
    }

    #[test]
    fn bytes_are_the_same_every_time_and_packing_twice_changes_nothing() {
        let once = module(&linked(), head(), Vec::new()).unwrap();
        assert_eq!(once, module(&linked(), head(), Vec::new()).unwrap());
        assert_eq!(once, module(&once, head(), Vec::new()).unwrap());
    }

    #[test]
    fn what_is_not_a_module_is_refused() {
        assert!(
            module(b"<html>", head(), Vec::new()).unwrap_err().starts_with("the input is not a module: ")
        );
    }
}
