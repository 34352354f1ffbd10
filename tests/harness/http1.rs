//! A raw HTTP/1 connection: writes any bytes, reads answers strictly.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::message::{Fields, Response};
use super::wait::within;

/// A kept-alive HTTP/1 connection. Dropping it is leaving: mid-request if only a part was sent.
pub struct Http1 {
    stream: TcpStream,
    /// Bytes that were read and not yet used.
    unread: Vec<u8>,
    /// The answer to a HEAD has no body, whatever its headers say.
    head: bool,
}

impl Http1 {
    /// Connects to a local port.
    pub async fn connect(port: u16) -> Self {
        Self::try_connect(port).await.unwrap_or_else(|error| panic!("cannot connect to port {port}: {error}"))
    }

    /// Connects to a local port where possibly nobody listens.
    pub async fn try_connect(port: u16) -> io::Result<Self> {
        let stream = within("a connection", TcpStream::connect(("127.0.0.1", port))).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::new(), head: false })
    }

    /// Writes these bytes: a whole request or a part of one. A peer that left is found out by reading.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.head = bytes.starts_with(b"HEAD ");
        let written = within("the peer to read the request", self.stream.write_all(bytes)).await;
        drop(written);
    }

    /// Reads one whole response; panics if the peer leaves first.
    pub async fn read_response(&mut self) -> Response {
        let response = self.try_read_response().await.expect("an answer, but the peer closed the connection");
        assert!(response.complete, "the peer left in the middle of its answer: {response:?}");
        response
    }

    /// Reads one response: `None` if the peer leaves before it, not `complete` if in the middle of it.
    pub async fn try_read_response(&mut self) -> Option<Response> {
        within("a response", async {
            loop {
                let head = loop {
                    match Head::parse(&self.unread) {
                        Some(head) => break head,
                        None if self.fill().await => {}
                        None => return None,
                    }
                };
                let mut response = Response {
                    status: head.status,
                    headers: head.fields(&self.unread),
                    ..Response::default()
                };
                self.unread.drain(..head.length);
                if response.status >= 200 {
                    let framing = if self.head { Framing::Length(0) } else { head.framing };
                    response.complete = self.read_body(framing, &mut response).await.is_some();
                    return Some(response);
                }
            }
        })
        .await
    }

    /// Reads until there is one response less, keeping nothing but its status; `None` if the peer left.
    ///
    /// The second value tells whether the connection may be used again.
    pub(crate) async fn read_status(&mut self) -> Option<(u16, bool)> {
        let head = loop {
            match Head::parse(&self.unread) {
                Some(head) => break head,
                None if self.fill().await => {}
                None => return None,
            }
        };
        match head.framing {
            Framing::Length(length) => {
                while self.unread.len() < head.length + length {
                    self.fill().await.then_some(())?;
                }
                self.unread.drain(..head.length + length);
            }
            framing => {
                self.unread.drain(..head.length);
                self.read_body(framing, &mut Response::default()).await?;
            }
        }
        Some((head.status, !head.close))
    }

    async fn read_body(&mut self, framing: Framing, response: &mut Response) -> Option<()> {
        match framing {
            Framing::Length(length) => {
                let arrived = self.take(length).await;
                response.body = arrived.unwrap_or_else(|| self.unread.clone());
                (response.body.len() == length).then_some(())
            }
            Framing::Close => {
                while self.fill().await {}
                response.body = self.unread.split_off(0);
                Some(())
            }
            Framing::Chunked => loop {
                let line = self.line().await?;
                let size = line.split(|byte| *byte == b';').next().and_then(|size| str::from_utf8(size).ok());
                let size = usize::from_str_radix(size?.trim(), 16).expect("the size of a chunk");
                if size == 0 {
                    loop {
                        let line = self.line().await?;
                        if line.is_empty() {
                            return Some(());
                        }
                        response.trailers.push(split_field(&line));
                    }
                }
                response.body.extend(self.take(size).await?);
                assert!(self.line().await?.is_empty(), "a chunk is longer than it said");
            },
        }
    }

    async fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.take(end).await;
                self.unread.drain(..2);
                return line;
            }
            self.fill().await.then_some(())?;
        }
    }

    async fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.unread.len() < length {
            self.fill().await.then_some(())?;
        }
        let rest = self.unread.split_off(length);
        Some(std::mem::replace(&mut self.unread, rest))
    }

    /// Reads some more bytes, and tells whether there were any.
    async fn fill(&mut self) -> bool {
        self.unread.reserve(4096);
        matches!(self.stream.read_buf(&mut self.unread).await, Ok(1..))
    }
}

/// The head of a response, as far as framing needs it.
struct Head {
    length: usize,
    status: u16,
    framing: Framing,
    close: bool,
}

#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
    Close,
}

impl Head {
    /// Parses a head, if it has arrived to its end.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let length = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let status = bytes
            .get(9..12)
            .and_then(|status| str::from_utf8(status).ok())
            .and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not an HTTP/1 response: {}", bytes.escape_ascii()));
        let none = status < 200 || status == 204 || status == 304;
        let mut head = Self {
            length,
            status,
            framing: if none { Framing::Length(0) } else { Framing::Close },
            close: false,
        };
        for line in lines(&bytes[..length]) {
            if let Some(value) = value_of(line, b"content-length:") {
                let parsed = str::from_utf8(value).ok().and_then(|value| value.trim().parse().ok());
                head.framing = Framing::Length(parsed.expect("a content-length is a number"));
            } else if value_of(line, b"transfer-encoding:").is_some() {
                head.framing = Framing::Chunked;
            } else if let Some(value) = value_of(line, b"connection:") {
                head.close = value.trim_ascii() == b"close";
            }
        }
        if none {
            head.framing = Framing::Length(0);
        }
        Some(head)
    }

    fn fields(&self, bytes: &[u8]) -> Fields {
        lines(&bytes[..self.length]).map(split_field).collect()
    }
}

/// Iterates over the header lines of a head, without its status line.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n')
        .skip(1)
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(value)
}

fn split_field(line: &[u8]) -> (String, Vec<u8>) {
    let colon = line.iter().position(|byte| *byte == b':').expect("a header has a colon");
    let name = str::from_utf8(&line[..colon]).expect("the name of a header is ASCII");
    (name.to_ascii_lowercase(), line[colon + 1..].trim_ascii().to_vec())
}
