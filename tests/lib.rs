//! The vocabulary of the Envoy tests: a real Envoy, a scripted upstream, and clients that send any bytes.
//!
//! 1. [`Upstream`] listens first, answers by script, and records what reached it.
//!    [`Jwks`] is one that serves keys, in every way that goes wrong.
//! 2. [`Envoy`] takes a shipped configuration from `envoy/`, moves it to free ports and starts: [`Running`].
//! 3. [`Request`] goes out over HTTP/1 or HTTP/2 and comes back as a [`Response`]; [`Http1`] and [`Http2`]
//!    keep a connection, send halves of requests and leave early; [`load`] sends hundreds of thousands.
//!
//! ```text
//! let upstream = Upstream::start().await;
//! let envoy = Envoy::from("rate-limit.yaml").upstream(&upstream).config(json!({...})).start().await;
//! assert_eq!(Request::get("/").header("x-api-key", "a").send(envoy.port()).await.status, 200);
//! ```
//!
//! Every wait has a deadline and ends in a sentence. The log of a failed test stays in `tests/.logs/`.
//! Envoy is `$ENVOY` or what `make tools` installed; modules are in `$SLUICE_DIST` or what `make build` made.

mod harness {
    pub(crate) mod envoy;
    pub(crate) mod http1;
    pub(crate) mod http2;
    pub(crate) mod jwks;
    pub(crate) mod load;
    pub(crate) mod message;
    pub(crate) mod place;
    pub(crate) mod running;
    pub(crate) mod upstream;
    pub(crate) mod wait;
}

pub use harness::envoy::{Configuration, Envoy, plugin};
pub use harness::http1::Http1;
pub use harness::http2::{Http2, Stream};
pub use harness::jwks::Jwks;
pub use harness::load::load;
pub use harness::message::{Request, Response, get, get_with};
pub use harness::place::{dist, envoy_binary, workspace};
pub use harness::running::Running;
pub use harness::upstream::{Answer, Gate, Seen, Upstream};
pub use harness::wait::{Deadline, within};
