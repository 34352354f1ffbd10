//! The callbacks of the proxy-wasm ABI 0.2.1, as the host calls them. Which of them a module keeps, pack decides.

#![expect(unsafe_code, reason = "the host finds callbacks by their names; none of them takes a pointer")]

use super::CONTEXTS;
use super::contexts::Action;
use crate::callout::CalloutId;
use crate::host::Direction;

/// Says which ABI this is, by its name.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Makes room for what the host hands over; `hostcalls::receive` takes it back.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Box::into_raw(Box::<[u8]>::new_uninit_slice(size)).cast()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(id: u32) {
    CONTEXTS.with(|contexts| contexts.delete(id));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_: u32, _: usize) -> bool {
    true
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(id: u32, size: usize) -> bool {
    CONTEXTS.with(|contexts| contexts.configure(id, size))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(id: u32) {
    if let Some(worker) = CONTEXTS.with(|contexts| contexts.plugin(id)).and_then(|plugin| plugin.worker()) {
        worker.tick();
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(id: u32, token: u32, _: usize, size: usize, _: usize) {
    if let Some(worker) = CONTEXTS.with(|contexts| contexts.worker(id)) {
        worker.answered(CalloutId(token), size);
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(id: u32, _: usize, end: bool) -> Action {
    CONTEXTS.with(|contexts| contexts.request_headers(id, end))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(id: u32, size: usize, end: bool) -> Action {
    CONTEXTS.with(|contexts| contexts.on_stream(id, |stream| stream.body(Direction::Request, size, end)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(id: u32, _: usize) -> Action {
    CONTEXTS.with(|contexts| contexts.on_stream(id, |stream| stream.trailers(Direction::Request)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(id: u32, _: usize, end: bool) -> Action {
    CONTEXTS.with(|contexts| contexts.on_stream(id, |stream| stream.response_headers(end)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(id: u32, size: usize, end: bool) -> Action {
    CONTEXTS.with(|contexts| contexts.on_stream(id, |stream| stream.body(Direction::Response, size, end)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(id: u32, _: usize) -> Action {
    CONTEXTS.with(|contexts| contexts.on_stream(id, |stream| stream.trailers(Direction::Response)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(id: u32) {
    CONTEXTS.with(|contexts| {
        contexts.on_stream(id, |stream| {
            stream.end();
            (Action::Continue, false)
        })
    });
}
