//! HTTP/2 with prior knowledge: many streams on one connection, each under the control of the test.

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpStream;

use super::message::{Body, Fields, Request, Response};
use super::wait::within;

/// An HTTP/2 connection. Share it by reference: streams run side by side.
pub struct Http2 {
    sender: SendRequest<Bytes>,
    connection: tokio::task::JoinHandle<()>,
}

impl Http2 {
    /// Connects to a local port.
    pub async fn connect(port: u16) -> Self {
        let stream = within("a connection", TcpStream::connect(("127.0.0.1", port))).await;
        let stream = stream.unwrap_or_else(|error| panic!("cannot connect to port {port}: {error}"));
        stream.set_nodelay(true).expect("a TCP socket");
        let (sender, connection) = h2::client::handshake(stream).await.expect("an HTTP/2 handshake");
        let connection = tokio::spawn(async move { drop(connection.await) });
        Self { sender, connection }
    }

    /// Sends a whole request and returns the whole answer; panics if the stream is reset.
    pub async fn send(&self, request: &Request) -> Response {
        self.try_send(request).await.unwrap_or_else(|error| panic!("no whole answer over HTTP/2: {error}"))
    }

    /// Sends a whole request; an error is the reset of the stream or of the connection.
    pub async fn try_send(&self, request: &Request) -> Result<Response, h2::Error> {
        let chunks: &[Vec<u8>] = match &request.body {
            Body::None => &[],
            Body::Whole(body) => std::slice::from_ref(body),
            Body::Chunks(chunks) => chunks,
        };
        let mut stream = self.start(request, chunks.is_empty() && request.trailers.is_empty()).await?;
        for (index, chunk) in chunks.iter().enumerate() {
            let last = index + 1 == chunks.len() && request.trailers.is_empty();
            // A peer that has answered early may have closed its half; the answer tells.
            drop(stream.body.send_data(Bytes::copy_from_slice(chunk), last));
        }
        if !request.trailers.is_empty() {
            drop(stream.body.send_trailers(map(&request.trailers)));
        }
        stream.response().await
    }

    /// Sends the headers of a request and leaves its body to the test.
    pub async fn open(&self, request: &Request) -> Stream {
        self.start(request, false).await.expect("an open connection")
    }

    async fn start(&self, request: &Request, end: bool) -> Result<Stream, h2::Error> {
        let authority = str::from_utf8(&request.host).expect("an authority is text");
        let mut head = http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("http://{authority}{}", request.path))
            .body(())
            .expect("a method and a path that the h2 crate sends");
        *head.headers_mut() = map(&request.headers);
        if let Body::Whole(body) = &request.body {
            head.headers_mut().insert("content-length", body.len().into());
        }
        let mut sender = within("room for a stream", self.sender.clone().ready()).await?;
        let (answer, body) = sender.send_request(head, end)?;
        Ok(Stream { answer, body })
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A stream whose request has not ended.
pub struct Stream {
    answer: ResponseFuture,
    body: SendStream<Bytes>,
}

impl Stream {
    /// Sends a piece of the body.
    pub fn data(&mut self, data: impl AsRef<[u8]>) {
        self.body.send_data(Bytes::copy_from_slice(data.as_ref()), false).expect("an open stream");
    }

    /// Ends the request.
    pub fn end(&mut self) {
        self.body.send_data(Bytes::new(), true).expect("an open stream");
    }

    /// Leaves: resets the stream with `CANCEL`.
    pub fn reset(mut self) {
        self.body.send_reset(Reason::CANCEL);
    }

    /// Returns the whole answer.
    pub async fn response(self) -> Result<Response, h2::Error> {
        let Self { answer, body: _open } = self;
        within("a response", async {
            let (head, mut body) = answer.await?.into_parts();
            let mut response = Response {
                status: head.status.as_u16(),
                headers: fields(&head.headers),
                ..Response::default()
            };
            while let Some(data) = body.data().await {
                let data = data?;
                body.flow_control().release_capacity(data.len())?;
                response.body.extend(data);
            }
            response.trailers = body.trailers().await?.as_ref().map(fields).unwrap_or_default();
            response.complete = true;
            Ok(response)
        })
        .await
    }
}

fn map(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the name of a header");
        map.append(name, HeaderValue::from_bytes(value).expect("a value without control characters"));
    }
    map
}

pub(crate) fn fields(map: &HeaderMap) -> Fields {
    map.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
}
