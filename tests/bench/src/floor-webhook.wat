;; The least that a filter can cost which looks at a request's headers, two clocks and a body: it makes the calls of
;; webhook-hmac, listens to its callbacks, and does nothing else. Whatever is above this row is the filter's own work.
(module
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $body (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 2)

  (func (export "proxy_abi_version_0_2_1"))
  ;; The same place every time: nothing is kept.
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))

  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $pairs (i32.const 0) (i32.const 24) (i32.const 28)))
    (drop (call $time (i32.const 32)))
    (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 40)))
    ;; Held until the body is there: the host keeps the request and takes it up again.
    (i32.eqz (local.get 2)))
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
    (drop (call $body (i32.const 0) (i32.const 0) (local.get 1) (i32.const 24) (i32.const 28)))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_delete") (param i32)))
