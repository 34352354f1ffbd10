;; The least that a chain can cost which looks at a request's headers and at the time, publishes a claim, sets the header
;; of a variant and three for retries, and asks how often a request was tried: it makes the calls of the chain of six,
;; listens to its callbacks, and does nothing else. Whatever is above this row is the filters' own work.
(module
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))
  (import "env" "proxy_set_property" (func $publish (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 2)
  (data (i32.const 64) "x-envoy-retry-on")
  (data (i32.const 96) "connect-failure,refused-stream,reset,gateway-error")
  (data (i32.const 160) "x-envoy-max-retries")
  (data (i32.const 192) "x-sluice-retry")
  (data (i32.const 224) "1")
  (data (i32.const 256) "x-sluice-variant")
  (data (i32.const 288) "v1")
  (data (i32.const 320) "sluice.jwt-auth.sub")
  (data (i32.const 352) "8f14e45f-ceea-467f-a3c5-0123456789ab")
  (data (i32.const 400) "upstream\00request_attempt_count")

  (func (export "proxy_abi_version_0_2_1"))
  ;; The same place every time: nothing is kept.
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))

  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $pairs (i32.const 0) (i32.const 24) (i32.const 28)))
    (drop (call $time (i32.const 32)))
    (drop (call $publish (i32.const 320) (i32.const 19) (i32.const 352) (i32.const 36)))
    (drop (call $set (i32.const 0) (i32.const 256) (i32.const 16) (i32.const 288) (i32.const 2)))
    (drop (call $add (i32.const 0) (i32.const 64) (i32.const 16) (i32.const 96) (i32.const 50)))
    (drop (call $add (i32.const 0) (i32.const 160) (i32.const 19) (i32.const 224) (i32.const 1)))
    (drop (call $add (i32.const 0) (i32.const 192) (i32.const 14) (i32.const 224) (i32.const 1)))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $property (i32.const 400) (i32.const 30) (i32.const 24) (i32.const 28)))
    (i32.const 0))
  (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_delete") (param i32)))
