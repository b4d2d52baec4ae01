//! One connection from its first byte to its end: requests are read, carried out and answered, and the rule that
//! caught a request decides where that goes wrong. Everything that a script can do to a client happens here.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::answer::{self, Outcome, Request};
use crate::bend::{bend, head_text, scripted};
use crate::http::{self, Head};
use crate::journal::Line;
use crate::operation::{self, Target};
use crate::refusal::Refusal;
use crate::script::{Effect, End, Fault, Length, Pace, Read as Reading, Send as Sending};
use crate::server::Shared;
use crate::tls::{Kind, Socket};
use crate::wire::{Wire, finish, reset, wait_for_the_end};

/// A fatal alert "protocol_version" of TLS 1.1.
///
/// Source: RFC 4346, sections 6.2.1 and 7.2.
const ALERT_PROTOCOL_VERSION: [u8; 7] = [21, 3, 2, 0, 2, 2, 70];

/// Opens a listener of a kind.
pub(crate) fn listen(shared: &Arc<Shared>, port: u16, kind: Kind) -> io::Result<SocketAddr> {
    let config = shared.authority.config(kind)?;
    shared.listen(port, move |shared, stream, number| {
        serve(&shared, stream, number, kind, config.clone());
    })
}

fn serve(
    shared: &Arc<Shared>,
    stream: Arc<TcpStream>,
    number: u64,
    kind: Kind,
    config: Option<Arc<ServerConfig>>,
) {
    let mut first = [0; 512];
    match kind {
        Kind::Silent => wait_for_the_end(&stream),
        Kind::Closes => {
            let _ = stream.as_ref().read(&mut first);
        }
        Kind::Resets => {
            let _ = stream.as_ref().read(&mut first);
            reset(&stream);
        }
        Kind::Tls11 => {
            let _ = stream.as_ref().read(&mut first);
            let _ = stream.as_ref().write_all(&ALERT_PROTOCOL_VERSION);
            finish(&stream);
        }
        Kind::Plain
        | Kind::PlainToTls
        | Kind::Trusted
        | Kind::OtherAuthority
        | Kind::WrongHost
        | Kind::Expired
        | Kind::SelfSigned => {
            let wire = match config.map(ServerConnection::new) {
                None => Wire::Plain(Socket(Arc::clone(&stream))),
                Some(Ok(session)) => Wire::Tls(Box::new(StreamOwned::new(
                    session,
                    Socket(Arc::clone(&stream)),
                ))),
                Some(Err(error)) => {
                    eprintln!("testbed-s3: no TLS session for connection {number}: {error}");
                    return;
                }
            };
            let connection = Connection {
                shared: Arc::clone(shared),
                reader: BufReader::with_capacity(64 * 1024, wire),
                stream,
                number,
                listener: kind.name(),
            };
            connection.converse();
        }
    }
}

struct Connection {
    shared: Arc<Shared>,
    reader: BufReader<Wire>,
    stream: Arc<TcpStream>,
    number: u64,
    listener: &'static str,
}

/// A request under way: what is needed to answer it.
struct Exchange {
    line: Line,
    head: Head,
    target: Target,
    fault: Fault,
}

impl Connection {
    fn converse(mut self) {
        loop {
            // An error here is the client's going away, which tests do on purpose; the journal has noted it.
            let Ok(Some((line, end))) = self.exchange() else {
                return;
            };
            let ended = match end {
                End::Keep => "kept",
                End::Close | End::CloseAfterMs(_) => "closed",
                End::Reset => "reset",
                End::Hang => "hung",
                End::CloseAtNext => "closed at the next request",
            };
            if end != End::CloseAtNext {
                self.shared
                    .journal
                    .note(line, |entry| entry.ended = Some(ended));
            }
            match end {
                End::Keep => continue,
                End::Close => self.close(),
                End::CloseAfterMs(millis) => {
                    self.pause(millis);
                    self.close();
                }
                End::Reset => reset(&self.stream),
                End::Hang => wait_for_the_end(&self.stream),
                End::CloseAtNext => {
                    if self.reader.fill_buf().is_ok_and(|bytes| !bytes.is_empty()) {
                        self.shared
                            .journal
                            .note(line, |entry| entry.ended = Some(ended));
                    }
                }
            }
            return;
        }
    }

    /// One request and its answer; none where the client has left between two.
    fn exchange(&mut self) -> io::Result<Option<(Line, End)>> {
        let head = match http::read_head(&mut self.reader) {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.refuse_unread(&error.to_string())?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let Some(target) = operation::target(&head) else {
            self.refuse_unread("Couldn't parse the specified URI.")?;
            return Ok(None);
        };
        let rule = self.shared.script.catch(&head.method, &head.query, &target);
        let name = rule.as_ref().map(|rule| rule.name.as_str());
        let line = self
            .shared
            .journal
            .begin(self.number, self.listener, &head, &target, name);
        let fault = rule.map(|rule| rule.fault).unwrap_or_default();
        let exchange = Exchange {
            line,
            head,
            target,
            fault,
        };
        let end = self.answered(&exchange);
        self.shared.journal.note(line, |entry| {
            entry.done_ms = Some(crate::moment::Moment::now().0);
            if end.is_err() {
                entry.ended = Some("broken");
            }
        });
        Ok(Some((line, end?)))
    }

    fn answered(&mut self, exchange: &Exchange) -> io::Result<End> {
        let Exchange {
            line, head, fault, ..
        } = exchange;
        self.pause(fault.delay_ms);
        let body = match self.read_body(exchange)? {
            Ok(body) => body,
            Err(Some(refusal)) => {
                // The body was not read, so this connection cannot carry another request.
                let reply =
                    refusal.reply(&exchange.target.path, &line.request_id(), &line.host_id());
                let outcome = Outcome {
                    reply,
                    code: Some(refusal.code),
                };
                self.send(exchange, outcome)?;
                return Ok(End::Close);
            }
            Err(None) => return Ok(fault.ending()),
        };
        let request = Request {
            head: head.clone(),
            target: exchange.target.clone(),
            body,
            ignored: fault.ignore.clone(),
            request_id: line.request_id(),
            host_id: line.host_id(),
        };
        if let Some(spaces) = fault.spaces {
            return self.answer_after_spaces(exchange, request, spaces);
        }
        let outcome = self.carry_out(exchange, request);
        self.pause(fault.head_delay_ms);
        let Some(outcome) = outcome.filter(|_| fault.send != Sending::Nothing) else {
            return Ok(fault.ending());
        };
        self.send(exchange, outcome)?;
        let end = fault.ending();
        Ok(if end == End::Keep && head.closes() {
            End::Close
        } else {
            end
        })
    }

    /// The body; or a refusal of its framing; or nothing, where the script says that it is not read.
    fn read_body(&mut self, exchange: &Exchange) -> io::Result<Result<Vec<u8>, Option<Refusal>>> {
        let Exchange {
            line, head, fault, ..
        } = exchange;
        if head.header("transfer-encoding").is_some() {
            return Ok(Err(Some(Refusal::not_implemented("Transfer-Encoding"))));
        }
        let bytes = match head.body_bytes() {
            Ok(Some(bytes)) => bytes,
            Ok(None) if head.method == "PUT" => {
                let message = "You must provide the Content-Length HTTP header.";
                return Ok(Err(Some(Refusal::new(
                    411,
                    "MissingContentLength",
                    message,
                ))));
            }
            Ok(None) => 0,
            Err(what) => return Ok(Err(Some(Refusal::new(400, "InvalidRequest", what)))),
        };
        let wanted = match fault.read {
            Reading::All => bytes,
            Reading::Nothing => 0,
            Reading::Bytes(some) => some.min(bytes),
        };
        if wanted > 0
            && head
                .header("expect")
                .is_some_and(|text| text.eq_ignore_ascii_case("100-continue"))
        {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body =
            Vec::with_capacity(usize::try_from(wanted.min(64 << 20)).unwrap_or_default());
        self.reader.by_ref().take(wanted).read_to_end(&mut body)?;
        let come = u64::try_from(body.len()).unwrap_or(u64::MAX);
        self.shared
            .journal
            .note(*line, |entry| entry.bytes_in = come);
        if come < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(match fault.read {
            Reading::All => Ok(body),
            Reading::Nothing | Reading::Bytes(_) => Err(None),
        })
    }

    /// Does what is asked as often as the script says, and chooses the answer that goes out.
    fn carry_out(&self, exchange: &Exchange, request: Request) -> Option<Outcome> {
        let Exchange { line, fault, .. } = exchange;
        // Who began anew is not to find what came of the requests before.
        if !self.shared.journal.knows(*line) {
            return None;
        }
        let canned = fault
            .answer
            .as_ref()
            .map(|canned| scripted(canned, *line, &exchange.target.path));
        let default = if canned.is_some() {
            Effect::None
        } else {
            Effect::Once
        };
        let genuine = match fault.effect.unwrap_or(default) {
            Effect::None => None,
            Effect::Once => Some(done(&self.shared, *line, request)),
            Effect::Twice => {
                done(&self.shared, *line, request.clone());
                Some(done(&self.shared, *line, request))
            }
            Effect::TwiceFirst => {
                let first = done(&self.shared, *line, request.clone());
                done(&self.shared, *line, request);
                Some(first)
            }
            Effect::LaterMs(millis) => {
                let (shared, line) = (Arc::clone(&self.shared), *line);
                // Without a thread the effect is lost, which the journal's count shows to the test.
                let _ = thread::Builder::new()
                    .name("late effect".into())
                    .spawn(move || {
                        if pause(&shared, millis) && shared.journal.knows(line) {
                            done(&shared, line, request);
                        }
                    });
                None
            }
        };
        canned.or(genuine)
    }

    /// Writes an answer as the script bends it.
    fn send(&mut self, exchange: &Exchange, outcome: Outcome) -> io::Result<()> {
        let Exchange {
            line, head, fault, ..
        } = exchange;
        let Outcome { mut reply, code } = outcome;
        self.shared.journal.note(*line, |entry| {
            entry.status = Some(reply.status);
            entry.code = code;
        });
        bend(&mut reply, fault);
        let bodiless = head.method == "HEAD" || matches!(reply.status, 204 | 304);
        let mut text = head_text(&reply, fault, head);
        let chunked = fault.length == Length::Chunked;
        match fault.send {
            Sending::HalfHead => {
                text.truncate(text.len() - 2);
                return self.write(text.as_bytes());
            }
            Sending::Nothing => return Ok(()),
            Sending::All | Sending::Head | Sending::Bytes(_) => self.write(text.as_bytes())?,
        }
        if bodiless || fault.send == Sending::Head {
            return Ok(());
        }
        self.pause(fault.body_delay_ms);
        let bytes = reply.body.bytes();
        let bytes = match fault.send {
            Sending::Bytes(some) => &bytes[..some.min(bytes.len())],
            Sending::All | Sending::Nothing | Sending::HalfHead | Sending::Head => bytes,
        };
        let pace = fault.drip.unwrap_or(Pace {
            bytes: 1 << 20,
            every_ms: 0,
        });
        for piece in bytes.chunks(pace.bytes.max(1)) {
            if chunked {
                self.write(format!("{:x}\r\n", piece.len()).as_bytes())?;
            }
            self.write(piece)?;
            if chunked {
                self.write(b"\r\n")?;
            }
            let gone = u64::try_from(piece.len()).unwrap_or_default();
            self.shared
                .journal
                .note(*line, |entry| entry.bytes_out += gone);
            self.pause(pace.every_ms);
        }
        if chunked && fault.send == Sending::All {
            self.write(b"0\r\n\r\n")?;
        }
        Ok(())
    }

    /// A head that says 200, white space at a pace, and only then the work and what came of it.
    ///
    /// Source: Amazon S3 API Reference, "CompleteMultipartUpload": "the initial 200 OK response", "white space".
    fn answer_after_spaces(
        &mut self,
        exchange: &Exchange,
        request: Request,
        spaces: Pace,
    ) -> io::Result<End> {
        const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
        let Exchange { line, fault, .. } = exchange;
        self.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nTransfer-Encoding: chunked\r\nServer: AmazonS3\r\n")?;
        self.write(
            format!(
                "x-amz-request-id: {}\r\nx-amz-id-2: {}\r\n\r\n",
                line.request_id(),
                line.host_id()
            )
            .as_bytes(),
        )?;
        self.write(format!("{:x}\r\n{DECLARATION}\r\n", DECLARATION.len()).as_bytes())?;
        for _ in 0..spaces.bytes {
            self.pause(spaces.every_ms);
            self.write(b"1\r\n \r\n")?;
        }
        let outcome = self.carry_out(exchange, request);
        let Some(Outcome { mut reply, code }) = outcome.filter(|_| fault.send != Sending::Nothing)
        else {
            return Ok(fault.ending());
        };
        self.shared.journal.note(*line, |entry| {
            entry.status = Some(200);
            entry.code = code;
        });
        bend(&mut reply, fault);
        let text = String::from_utf8_lossy(reply.body.bytes()).replace(DECLARATION, "");
        let text = match fault.send {
            Sending::Bytes(some) => &text[..some.min(text.len())],
            Sending::All => &text,
            Sending::Nothing | Sending::HalfHead | Sending::Head => "",
        };
        if !text.is_empty() {
            self.write(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())?;
        }
        if fault.send == Sending::All {
            self.write(b"0\r\n\r\n")?;
        }
        let gone = u64::try_from(text.len()).unwrap_or_default();
        self.shared
            .journal
            .note(*line, |entry| entry.bytes_out = gone);
        Ok(fault.ending())
    }

    /// What cannot even be noted in the journal: an answer of 400, and the end.
    fn refuse_unread(&mut self, what: &str) -> io::Result<()> {
        if let Wire::Tls(stream) = self.reader.get_ref()
            && stream.conn.is_handshaking()
        {
            // It was no TLS: the alert has gone out, and nothing else could.
            finish(&self.stream);
            return Ok(());
        }
        let body = Refusal::new(400, "InvalidURI", what).document("", "0", "0");
        let head = format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        self.write(head.as_bytes())?;
        self.write(body.as_bytes())?;
        finish(&self.stream);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let wire = self.reader.get_mut();
        wire.write_all(bytes)?;
        wire.flush()
    }

    /// An orderly end: what was written arrives, whatever the client is still sending.
    fn close(mut self) {
        if let Wire::Tls(stream) = self.reader.get_mut() {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        finish(&self.stream);
    }

    fn pause(&self, millis: u64) {
        pause(&self.shared, millis);
    }
}

/// Carries a request out and notes it.
fn done(shared: &Shared, line: Line, request: Request) -> Outcome {
    let outcome = answer::answer(shared, request);
    shared.journal.note(line, |entry| {
        entry.effects += 1;
        entry.outcome = Some(outcome.reply.status);
    });
    outcome
}

/// Waits, and says whether the server is still there afterwards.
fn pause(shared: &Shared, millis: u64) -> bool {
    const SLICE: u64 = 20;
    let mut left = millis;
    while left > 0 && !shared.stopping() {
        let slice = left.min(SLICE);
        thread::sleep(Duration::from_millis(slice));
        left -= slice;
    }
    !shared.stopping()
}
