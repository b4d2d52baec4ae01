//! A raw client for tests: one connection a request unless it is told otherwise, nothing repeated, nothing followed.
//! It signs with this package's own signer and hands back what came, byte for byte.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::digest::{hex, sha256};
use crate::http::Head;
use crate::moment::Moment;
use crate::percent;
use crate::sign::{self, Key};

/// Who asks, where, and how.
#[derive(Clone, Debug)]
pub struct Client {
    /// The server.
    pub address: SocketAddr,
    /// Signs every request, where present.
    pub key: Option<Key>,
    /// The region in the signature's scope.
    pub region: String,
    /// How far the client's clock stands from the machine's.
    pub clock_offset_seconds: i64,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as far as it came, chunks put together.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element of that name in the body.
    pub fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (inside, _) = rest.split_once(&format!("</{name}>"))?;
        Some(inside.replace("&quot;", "\"").replace("&amp;", "&"))
    }
}

impl Client {
    /// A client with the first of the keys of a server's default settings.
    pub fn new(address: SocketAddr) -> Client {
        Client {
            address,
            key: crate::server::Settings::default().keys.into_iter().next(),
            region: "us-east-1".into(),
            clock_offset_seconds: 0,
        }
    }

    /// The bytes of a request's head; `target` is `/bucket/key?query`, encoded already.
    pub fn head(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut head = Head {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: vec![("host".into(), self.address.to_string())],
        };
        for (name, value) in headers {
            head.headers.retain(|(known, _)| known != name);
            head.headers.push(((*name).into(), (*value).into()));
        }
        if let Some(key) = &self.key {
            let now = Moment(Moment::now().0 + self.clock_offset_seconds * 1000);
            head.headers.push(("x-amz-date".into(), now.basic()));
            head.headers
                .push(("x-amz-content-sha256".into(), hex(&sha256(body))));
            if let Some(token) = &key.session_token {
                head.headers
                    .push(("x-amz-security-token".into(), token.clone()));
            }
            let path = percent::decode_text(path).unwrap_or_default();
            let query = percent::query(query).unwrap_or_default();
            let authorization = sign::authorization(&head, &path, &query, key, &self.region);
            head.headers.push(("authorization".into(), authorization));
        }
        let mut text = format!("{method} {target} HTTP/1.1\r\n");
        for (name, value) in &head.headers {
            text += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || matches!(method, "PUT" | "POST") {
            text += &format!("content-length: {}\r\n", body.len());
        }
        text + "\r\n"
    }

    /// Sends a request on a connection of its own and waits for the whole answer.
    ///
    /// Errors: the connection's own; `UnexpectedEof` where the answer is cut.
    pub fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        self.send_on(&mut self.connect()?, method, target, headers, body)
    }

    /// A connection with a time-out of ten seconds for each read.
    pub fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(BufReader::new(stream))
    }

    /// Sends a request on a connection that may have carried others.
    pub fn send_on(
        &self,
        connection: &mut BufReader<TcpStream>,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let head = self.head(method, target, headers, body);
        connection.get_mut().write_all(head.as_bytes())?;
        connection.get_mut().write_all(body)?;
        receive(connection, method == "HEAD")
    }
}

/// Reads one answer.
pub fn receive(connection: &mut BufReader<TcpStream>, bodiless: bool) -> io::Result<Answer> {
    let mut answer = Answer::default();
    let first = line(connection)?;
    answer.status = first
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or_default();
    loop {
        let text = line(connection)?;
        let Some((name, value)) = text.split_once(": ") else {
            break;
        };
        answer
            .headers
            .push((name.to_ascii_lowercase(), value.to_owned()));
    }
    if bodiless || matches!(answer.status, 204 | 304) {
        return Ok(answer);
    }
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = u64::from_str_radix(&line(connection)?, 16).map_err(io::Error::other)?;
            exactly(connection, size, &mut answer.body)?;
            line(connection)?;
            if size == 0 {
                return Ok(answer);
            }
        }
    }
    match answer
        .header("content-length")
        .and_then(|text| text.parse().ok())
    {
        Some(bytes) => exactly(connection, bytes, &mut answer.body)?,
        None => {
            connection.read_to_end(&mut answer.body)?;
        }
    }
    Ok(answer)
}

fn line(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut text = String::new();
    connection.read_line(&mut text)?;
    if !text.ends_with("\r\n") {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    text.truncate(text.len() - 2);
    Ok(text)
}

fn exactly(
    connection: &mut BufReader<TcpStream>,
    bytes: u64,
    body: &mut Vec<u8>,
) -> io::Result<()> {
    let come = connection.by_ref().take(bytes).read_to_end(body)?;
    if u64::try_from(come).unwrap_or_default() < bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}
