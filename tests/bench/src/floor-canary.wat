;; The least that a filter can cost which looks at a request's headers and sets one of them: it makes the calls of
;; canary-routing, listens to its callbacks, and does nothing else. Whatever is above this row is the filter's own work.
(module
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 2)
  (data (i32.const 64) "x-sluice-variant")
  (data (i32.const 96) "v1")

  (func (export "proxy_abi_version_0_2_1"))
  ;; The same place every time: nothing is kept.
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))

  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $pairs (i32.const 0) (i32.const 24) (i32.const 28)))
    (drop (call $set (i32.const 0) (i32.const 64) (i32.const 16) (i32.const 96) (i32.const 2)))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_delete") (param i32)))
