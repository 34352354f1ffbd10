//! What a host offers, and the refusal of modules that want more.
//!
//! The list is that of Envoy 1.36, the oldest that is supported; a newer one only adds to it. Names are those
//! that its proxy-wasm-cpp-host registers for a module of ABI 0.2.1 (`registerCallbacks` in `src/wasm.cc`). A
//! single import beyond the list and the host refuses the whole module.

/// The module that offers the functions of the proxy.
const PROXY_MODULE: &str = "env";

/// The functions of the proxy, ABI 0.2.1.
const PROXY: [&str; 40] = [
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_buffer_bytes",
    "proxy_get_buffer_status",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_size",
    "proxy_get_header_map_value",
    "proxy_get_log_level",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_register_shared_queue",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_resolve_shared_queue",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
    // Not of the ABI's text, but registered beside it.
    "pthread_equal",
];

/// The module that offers the functions of the operating system.
const WASI_MODULE: &str = "wasi_snapshot_preview1";

/// The functions of the operating system; Envoy 1.39 knows more.
const WASI: [&str; 18] = [
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_close",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_read",
    "fd_seek",
    "fd_write",
    "path_open",
    "poll_oneoff",
    "proc_exit",
    "random_get",
    "sched_yield",
];

/// Passes a module that imports nothing but what every supported host offers.
///
/// # Errors
///
/// Names every import that is not on the list.
pub(crate) fn check(module: &walrus::Module) -> Result<(), String> {
    let refused: Vec<_> = module
        .imports
        .iter()
        .filter(|import| {
            !(matches!(import.kind, walrus::ImportKind::Function(_)) && offered(&import.module, &import.name))
        })
        .map(|import| format!("`{}.{}`", import.module, import.name))
        .collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "the module imports {}, which Envoy 1.36 does not offer: it would not load",
            refused.join(", ")
        ))
    }
}

/// Says whether a host offers a function.
fn offered(module: &str, name: &str) -> bool {
    match module {
        PROXY_MODULE => PROXY.contains(&name),
        WASI_MODULE => WASI.contains(&name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str) -> Result<(), String> {
        check(&walrus::Module::from_buffer(&wat::parse_str(text).unwrap()).unwrap())
    }

    #[test]
    fn lists_are_in_order_and_without_duplicates() {
        assert!(PROXY.is_sorted_by(|a, b| a < b));
        assert!(WASI.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn passes_what_every_host_offers() {
        let module = r#"(module
            (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))"#;
        assert_eq!(check_text(module), Ok(()));
    }

    #[test]
    fn names_every_import_that_is_not_offered() {
        let module = r#"(module
            (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
            (import "env" "proxy_get_configuration" (func))
            (import "wasi_snapshot_preview1" "clock_res_get" (func))
            (import "wasi_unstable" "fd_write" (func))
            (import "env" "memory" (memory 1)))"#;
        assert_eq!(
            check_text(module).unwrap_err(),
            "the module imports `env.proxy_get_configuration`, `wasi_snapshot_preview1.clock_res_get`, \
             `wasi_unstable.fd_write`, `env.memory`, which Envoy 1.36 does not offer: it would not load",
        );
    }
}
