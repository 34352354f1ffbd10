//! Requests and responses, as bytes, the same for HTTP/1 and HTTP/2.

use std::fmt;

use crate::{Http1, Http2};

/// Sends a GET over HTTP/1.
pub async fn get(port: u16, path: &str) -> Response {
    Request::get(path).send(port).await
}

/// Sends a GET with more headers over HTTP/1.
pub async fn get_with(port: u16, path: &str, headers: &[(&str, &str)]) -> Response {
    let request =
        headers.iter().fold(Request::get(path), |request, (name, value)| request.header(name, value));
    request.send(port).await
}

/// A request: what is said, not how it is framed.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) host: Vec<u8>,
    pub(crate) headers: Fields,
    pub(crate) body: Body,
    pub(crate) trailers: Fields,
}

/// Header or trailer fields in order, duplicates included.
pub(crate) type Fields = Vec<(String, Vec<u8>)>;

#[derive(Clone, Debug)]
pub(crate) enum Body {
    None,
    /// In one piece, with a content-length.
    Whole(Vec<u8>),
    /// In these pieces, without a content-length.
    Chunks(Vec<Vec<u8>>),
}

impl Request {
    /// Makes a request with any method.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            host: b"localhost".to_vec(),
            headers: Vec::new(),
            body: Body::None,
            trailers: Vec::new(),
        }
    }

    /// Makes a GET.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Makes a POST with a body in one piece and a content-length.
    pub fn post(path: &str, body: impl AsRef<[u8]>) -> Self {
        Self { body: Body::Whole(body.as_ref().to_vec()), ..Self::new("POST", path) }
    }

    /// Makes a gRPC call with one message; send it over HTTP/2.
    pub fn grpc(path: &str, message: impl AsRef<[u8]>) -> Self {
        let message = message.as_ref();
        let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
        let framed = [&[0][..], &length, message].concat();
        Self::new("POST", path)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .chunks([framed])
    }

    /// Adds a header; the value may be any bytes, and the name may repeat. `host` is replaced.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref().to_vec();
        match name {
            "host" => self.host = value,
            _ => self.headers.push((name.to_owned(), value)),
        }
        self
    }

    /// Sets the body in pieces, without a length: HTTP/1 chunks or HTTP/2 DATA frames.
    pub fn chunks<C: AsRef<[u8]>>(mut self, chunks: impl IntoIterator<Item = C>) -> Self {
        self.body = Body::Chunks(chunks.into_iter().map(|chunk| chunk.as_ref().to_vec()).collect());
        self
    }

    /// Adds a trailer. In HTTP/1 this needs `chunks`.
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Returns the bytes of this request in HTTP/1.
    pub fn wire(&self) -> Vec<u8> {
        let mut wire = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        field(&mut wire, "host", &self.host);
        self.headers.iter().for_each(|(name, value)| field(&mut wire, name, value));
        match &self.body {
            Body::None => wire.extend(b"\r\n"),
            Body::Whole(body) => {
                field(&mut wire, "content-length", body.len().to_string().as_bytes());
                wire.extend(b"\r\n");
                wire.extend(body);
            }
            Body::Chunks(chunks) => {
                wire.extend(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    wire.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    wire.extend(chunk);
                    wire.extend(b"\r\n");
                }
                wire.extend(b"0\r\n");
                self.trailers.iter().for_each(|(name, value)| field(&mut wire, name, value));
                wire.extend(b"\r\n");
            }
        }
        wire
    }

    /// Sends this over a new HTTP/1 connection and returns the whole answer.
    pub async fn send(&self, port: u16) -> Response {
        let mut connection = Http1::connect(port).await;
        connection.send(&self.wire()).await;
        connection.read_response().await
    }

    /// Sends this over a new HTTP/2 connection and returns the whole answer.
    pub async fn send_http2(&self, port: u16) -> Response {
        Http2::connect(port).await.send(self).await
    }
}

fn field(wire: &mut Vec<u8>, name: &str, value: &[u8]) {
    wire.extend(name.as_bytes());
    wire.extend(b": ");
    wire.extend(value);
    wire.extend(b"\r\n");
}

/// A response that arrived.
#[derive(Clone, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers in order, names in lower case, duplicates included.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// Whether it arrived to its end.
    pub complete: bool,
}

impl Response {
    /// Returns the first header of this name as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// Returns the first trailer of this name as text.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        first(&self.trailers, name)
    }

    /// Returns the body as text, with replacement characters where it is not.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON, {error}: {self:?}"))
    }

    /// Returns the gRPC status, from the trailers or (trailers only) the headers.
    pub fn grpc_status(&self) -> Option<u32> {
        self.trailer("grpc-status").or_else(|| self.header("grpc-status"))?.parse().ok()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}{}", self.status, if self.complete { "" } else { " (cut short)" })?;
        for (name, value) in self.headers.iter().chain(&self.trailers) {
            writeln!(f, "{name}: {}", value.escape_ascii())?;
        }
        write!(f, "\n{}", self.body.escape_ascii())
    }
}

pub(crate) fn first<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let (_, value) = fields.iter().find(|(candidate, _)| candidate == name)?;
    Some(str::from_utf8(value).unwrap_or_else(|_| panic!("`{name}` is not text: {}", value.escape_ascii())))
}
