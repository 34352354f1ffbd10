//! The load: a fixed number of requests over connections that stay open.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::row::{AUDIENCE, Carries, ISSUER, SECRET};

/// How many clients the requests come from.
const CLIENTS: usize = 64;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Open connections to one listener.
pub(crate) struct Load {
    connections: Vec<BufReader<TcpStream>>,
    requests: Vec<Vec<u8>>,
    line: String,
}

impl Load {
    /// Opens the connections; every client has a token or a body of its own, if requests carry one.
    pub(crate) fn connect(
        address: SocketAddr,
        connections: usize,
        carries: &Carries,
    ) -> Result<Self, String> {
        let connect = |_| {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(BufReader::new(stream))
        };
        let connections = (0..connections).map(connect).collect::<Result<_, std::io::Error>>();
        Ok(Self {
            connections: connections.map_err(|error| format!("cannot connect to {address}: {error}"))?,
            requests: (0..CLIENTS).map(|client| request(client, carries)).collect(),
            line: String::new(),
        })
    }

    /// Sends at least this many requests, and returns how many it were once all are answered.
    ///
    /// # Errors
    ///
    /// Ends with the first answer that is not 200: whoever refuses a request does other work than is measured.
    pub(crate) fn run(&mut self, requests: usize) -> Result<u64, String> {
        let mut source = self.requests.iter().cycle();
        let mut sent = 0;
        while sent < requests {
            for (connection, request) in self.connections.iter_mut().zip(&mut source) {
                connection
                    .get_mut()
                    .write_all(request)
                    .map_err(|error| format!("cannot send a request: {error}"))?;
            }
            for connection in &mut self.connections {
                answer(connection, &mut self.line)?;
            }
            sent += self.connections.len();
        }
        u64::try_from(sent).map_err(|error| error.to_string())
    }
}

/// Returns the request of one client: the headers that a service behind a gateway sees.
fn request(client: usize, carries: &Carries) -> Vec<u8> {
    let (method, more, body) = match carries {
        Carries::Nothing => ("GET", String::new(), String::new()),
        Carries::Token(signer) => {
            // As much as an identity provider says.
            let payload = format!(
                r#"{{"iss":"{ISSUER}","sub":"00000000-0000-0000-0000-{client:012}","aud":"{AUDIENCE}","iat":1767225600,"exp":{END},"jti":"{client:032}","scope":"openid profile email orders:read orders:write","email":"client-{client}@example.com"}}"#
            );
            ("GET", format!("authorization: Bearer {}\r\n", signer.token(&payload)), String::new())
        }
        Carries::Body(size) => {
            let body: String = format!("{{\"client\": {client}}}").chars().cycle().take(*size).collect();
            let signed = format!("x-hub-signature-256: sha256={}\r\n", signature(&body));
            ("POST", format!("{signed}content-length: {size}\r\n"), body)
        }
    };
    format!(
        "{method} /api/orders/{client}?expand=items HTTP/1.1\r\n\
         host: shop.example.com\r\n\
         user-agent: bench/1.0\r\n\
         accept: application/json\r\n\
         accept-encoding: gzip\r\n\
         x-api-key: client-{client:04}\r\n\
         x-tier: gold\r\n\
         cookie: session=0123456789abcdef\r\n\
         {more}\r\n\
         {body}"
    )
    .into_bytes()
}

/// Returns the HMAC-SHA256 of a body in hex.
fn signature(body: &str) -> String {
    // Any key will do, so there is always one.
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).into_iter().next();
    let code = mac.map(|mac| mac.chain_update(body.as_bytes()).finalize().into_bytes());
    code.iter().flatten().map(|byte| format!("{byte:02x}")).collect()
}

/// When tokens are over: 2100-01-01T00:00:00Z.
const END: u64 = 4_102_444_800;

/// Reads one answer to its end.
fn answer(connection: &mut BufReader<TcpStream>, line: &mut String) -> Result<(), String> {
    read_line(connection, line)?;
    if !line.starts_with("HTTP/1.1 200 ") {
        return Err(format!("a request was answered with `{}`", line.trim_end()));
    }
    let mut length = None;
    loop {
        read_line(connection, line)?;
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().ok();
        }
    }
    let mut left: usize = length.ok_or("an answer has no content-length")?;
    while 0 < left {
        let have = connection.fill_buf().map_err(lost)?.len().min(left);
        if have == 0 {
            return Err("an answer ended early".to_owned());
        }
        connection.consume(have);
        left -= have;
    }
    Ok(())
}

/// Reads one line of a head.
fn read_line(connection: &mut BufReader<TcpStream>, line: &mut String) -> Result<(), String> {
    line.clear();
    match connection.read_line(line) {
        Ok(0) => Err("the connection was closed".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(lost(error)),
    }
}

/// Says that no answer came.
fn lost(error: std::io::Error) -> String {
    format!("no answer: {error}")
}
