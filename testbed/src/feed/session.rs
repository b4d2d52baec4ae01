//! One connection: its handshake, its steps on this thread, and a second thread that reads what the client says and
//! answers its pings.

use std::collections::VecDeque;
use std::io::{self, BufReader};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use crate::feed::frame::{self, Frame};
use crate::feed::handshake::{self, Handshake};
use crate::feed::line::Line;
use crate::feed::market::{Dice, Traffic, now_us};
use crate::feed::truth::Sent;
use crate::feed::{Act, Session, Shared, Step, Want};
use crate::wire::{finish, reset, wait_for_the_end};

/// How much is gathered for one write where messages go out as fast as they are taken.
const GATHERED_BYTES: usize = 64 * 1024;
/// How long a client may take for what it must do at once: a pong, the answer to a close frame.
const AT_ONCE: Duration = Duration::from_secs(10);

pub(crate) fn serve(
    shared: &Arc<Shared>,
    stream: Arc<TcpStream>,
    number: u32,
    tls: Option<Arc<ServerConfig>>,
) {
    let sessions = &shared.settings.sessions;
    let place = usize::try_from(number).unwrap_or(usize::MAX);
    let last = sessions.last().filter(|_| shared.settings.repeats);
    let Some(session) = sessions.get(place).or(last) else {
        return;
    };
    let Ok(line) = Line::new(stream, tls) else {
        return;
    };
    let connection = Arc::new(Connection {
        shared: Arc::clone(shared),
        line,
        number,
    });
    // An error here is the client's going away, which tests do on purpose.
    let _ = connection.run(session);
}

struct Connection {
    shared: Arc<Shared>,
    line: Line,
    number: u32,
}

impl Connection {
    fn run(self: &Arc<Self>, session: &Session) -> io::Result<()> {
        let mut reader = BufReader::new(&self.line);
        let head = handshake::read_request(&mut reader).inspect_err(|error| {
            self.hear(Act::Fault(error.to_string()));
        })?;
        let early = !reader.buffer().is_empty();
        if early {
            self.hear(Act::Fault("bytes before the handshake's end".into()));
        }
        self.hear(Act::Request(head.clone()));
        let (answer, opens) = handshake::answer(&session.handshake, &head);
        match session.handshake {
            Handshake::Drip(every_ms) => self.drip(&answer, 1, every_ms)?,
            Handshake::Reset => {
                reset(self.line.socket());
                return Ok(());
            }
            Handshake::Silent => {
                wait_for_the_end(self.line.socket());
                return Ok(());
            }
            Handshake::Right
            | Handshake::Demand(..)
            | Handshake::Status(..)
            | Handshake::WrongKey
            | Handshake::Header(..)
            | Handshake::Raw(_)
            | Handshake::Cut(_) => self.line.send(&answer)?,
        }
        if !opens {
            self.end();
            return Ok(());
        }
        let listening = Arc::clone(self);
        thread::Builder::new()
            .name(format!("session {} hears", self.number))
            .spawn(move || listening.listen())?;
        let mut steps = Steps {
            heard: 0,
            ping_every: None,
            pinged: Instant::now(),
            dice: Dice(u64::from(self.number)),
        };
        for step in &session.steps {
            if !self.step(step, &mut steps)? {
                return Ok(());
            }
        }
        // Open and silent until one of the two ends leaves; pings go on. A client's close frame is answered,
        // and then it is the server that ends the connection (RFC 6455, 7.1.1).
        while !self.shared.stopping() && !self.has_left() {
            let closed = self.await_act(0, Duration::from_millis(20), |act| Want::Close.is(act));
            if closed.is_some() {
                self.line.send(&Frame::new(frame::CLOSE, "").bytes())?;
                self.end();
                break;
            }
            self.ping_if_due(&mut steps)?;
        }
        Ok(())
    }

    fn hear(&self, act: Act) {
        self.shared.hear(self.number, act);
    }

    fn has_left(&self) -> bool {
        self.await_act(0, Duration::ZERO, |act| matches!(act, Act::Left))
            .is_some()
    }

    fn await_act(
        &self,
        from: usize,
        within: Duration,
        is_it: impl Fn(&Act) -> bool,
    ) -> Option<usize> {
        self.shared.wait_act(self.number, from, within, is_it)
    }

    /// Hears the client until it leaves; answers its pings.
    fn listen(&self) {
        let mut reader = BufReader::new(&self.line);
        loop {
            match frame::read_client(&mut reader) {
                Ok(Some(heard)) => {
                    if heard.opcode == frame::PING {
                        let _ = self
                            .line
                            .send(&Frame::new(frame::PONG, heard.payload.clone()).bytes());
                    }
                    self.hear(Act::Frame(heard));
                }
                Ok(None) => break,
                Err(error) => {
                    if error.kind() == io::ErrorKind::InvalidData {
                        self.hear(Act::Fault(error.to_string()));
                    }
                    break;
                }
            }
        }
        self.hear(Act::Left);
    }

    /// Whether the connection goes on after this step.
    fn step(&self, step: &Step, steps: &mut Steps) -> io::Result<bool> {
        match step {
            Step::Text(text) => self.message(frame::TEXT, text.as_bytes())?,
            Step::Binary(bytes) => self.message(frame::BINARY, bytes)?,
            Step::Frames(frames, message) => {
                self.keep(message.as_deref())?;
                self.line.send(&joined(frames))?;
            }
            Step::Chopped(frames, message, bytes, every_ms) => {
                self.keep(message.as_deref())?;
                self.drip(&joined(frames), *bytes, *every_ms)?;
            }
            Step::Deal(traffic) => self.deal(traffic, steps)?,
            Step::Miss(trades) => self.shared.market().miss(*trades),
            Step::Restart => self.shared.market().restart(),
            Step::Wait(millis) => self.pause(Duration::from_millis(*millis), steps)?,
            Step::Await(want, millis) => {
                let within = Duration::from_millis(*millis);
                let found = self.await_act(steps.heard, within, |act| want.is(act));
                let Some(place) = found else {
                    self.hear(Act::Fault(format!("no {want:?} within {millis} ms")));
                    return self.close(Some(1008), "too late");
                };
                steps.heard = place + 1;
            }
            Step::Settle => {
                let payload = format!("settle {}", steps.dice.roll(u64::MAX)).into_bytes();
                self.line
                    .send(&Frame::new(frame::PING, payload.clone()).bytes())?;
                let want = Want::Pong(payload);
                if self.await_act(0, AT_ONCE, |act| want.is(act)).is_none() {
                    self.hear(Act::Fault("no pong".into()));
                    return Ok(false);
                }
            }
            Step::PingEvery(millis) => steps.ping_every = Some(Duration::from_millis(*millis)),
            Step::Mark(name) => self.shared.mark(self.number, name),
            Step::Close(code, reason) => return self.close(*code, reason),
            Step::Fin => {
                self.end();
                return Ok(false);
            }
            Step::Reset => {
                // The reader's hold of the socket ends with the reset itself, so it is shut down first.
                reset(self.line.socket());
                let _ = self.line.socket().shutdown(Shutdown::Read);
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn message(&self, opcode: u8, bytes: &[u8]) -> io::Result<()> {
        self.keep(Some(bytes))?;
        self.line.send(&Frame::new(opcode, bytes).bytes())
    }

    fn keep(&self, message: Option<&[u8]>) -> io::Result<()> {
        let Some(bytes) = message else {
            return Ok(());
        };
        self.shared.truth.keep(Sent {
            at_us: now_us(),
            connection: self.number,
            bytes: bytes.to_vec(),
        })
    }

    fn deal(&self, traffic: &Traffic, steps: &mut Steps) -> io::Result<()> {
        let began = Instant::now();
        let mut due = Duration::ZERO;
        let mut burst = Burst::default();
        let mut gathered = Vec::new();
        let mut waiting: VecDeque<Vec<u8>> = VecDeque::new();
        for number in 0..traffic.messages {
            let mut market = self.shared.market();
            waiting.extend(market.next(traffic));
            if number + 1 == traffic.messages {
                waiting.extend(market.rest());
            }
            drop(market);
            for message in waiting.drain(..) {
                self.keep(Some(&message))?;
                Frame::new(frame::TEXT, message).write_to(&mut gathered);
            }
            if let Some(per_second) = traffic.per_second {
                self.line.send(&std::mem::take(&mut gathered))?;
                let factor = burst.factor(traffic.is_bursty, began.elapsed(), &mut steps.dice);
                due += Duration::from_secs_f64(1.0 / (per_second * factor));
                self.pause(due.saturating_sub(began.elapsed()), steps)?;
            } else if gathered.len() >= GATHERED_BYTES || number + 1 == traffic.messages {
                self.line.send(&std::mem::take(&mut gathered))?;
                self.ping_if_due(steps)?;
            }
            if self.shared.stopping() {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        Ok(())
    }

    /// Waits, and pings where that is due.
    fn pause(&self, time: Duration, steps: &mut Steps) -> io::Result<()> {
        const SLICE: Duration = Duration::from_millis(20);
        let end = Instant::now() + time;
        loop {
            self.ping_if_due(steps)?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if self.shared.stopping() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            thread::sleep(left.min(SLICE));
        }
    }

    fn ping_if_due(&self, steps: &mut Steps) -> io::Result<()> {
        if steps
            .ping_every
            .is_some_and(|every| steps.pinged.elapsed() >= every)
        {
            steps.pinged = Instant::now();
            let payload = now_us().to_string();
            self.line.send(&Frame::new(frame::PING, payload).bytes())?;
        }
        Ok(())
    }

    fn drip(&self, bytes: &[u8], size: usize, every_ms: u64) -> io::Result<()> {
        for piece in bytes.chunks(size.max(1)) {
            if self.shared.stopping() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.line.send(piece)?;
            thread::sleep(Duration::from_millis(every_ms));
        }
        Ok(())
    }

    fn close(&self, code: Option<u16>, reason: &str) -> io::Result<bool> {
        self.line.send(&Frame::close(code, reason).bytes())?;
        self.await_act(0, AT_ONCE, |act| {
            Want::Close.is(act) || matches!(act, Act::Left)
        });
        self.end();
        Ok(false)
    }

    /// An orderly end: what was written arrives. The reading thread takes what still comes.
    fn end(&self) {
        self.line.say_goodbye();
        finish(self.line.socket());
        let _ = self.line.socket().shutdown(Shutdown::Both);
    }
}

fn joined(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        frame.write_to(&mut bytes);
    }
    bytes
}

/// What a connection keeps between its steps.
struct Steps {
    /// How many acts of the client earlier waits have passed.
    heard: usize,
    ping_every: Option<Duration>,
    pinged: Instant,
    dice: Dice,
}

/// How busy a market is, a second at a time.
#[derive(Default)]
struct Burst {
    second: Option<u64>,
    factor: f64,
}

impl Burst {
    /// Tenths of the average, which they have themselves: 0.3 to 8.
    const TENTHS: [u32; 16] = [3, 3, 3, 3, 4, 4, 5, 5, 5, 6, 6, 8, 10, 15, 25, 80];

    fn factor(&mut self, is_bursty: bool, elapsed: Duration, dice: &mut Dice) -> f64 {
        if !is_bursty {
            return 1.0;
        }
        if self.second != Some(elapsed.as_secs()) {
            self.second = Some(elapsed.as_secs());
            let roll = usize::try_from(dice.roll(16)).unwrap_or(0);
            let all: u32 = Burst::TENTHS.iter().sum();
            self.factor = f64::from(Burst::TENTHS[roll]) * 16.0 / f64::from(all);
        }
        self.factor
    }
}

impl Want {
    fn is(&self, act: &Act) -> bool {
        let Act::Frame(heard) = act else {
            return false;
        };
        match self {
            Want::Text(text) => heard.opcode == frame::TEXT && heard.payload == text.as_bytes(),
            Want::Message => matches!(heard.opcode, frame::TEXT | frame::BINARY),
            Want::Ping => heard.opcode == frame::PING,
            Want::Pong(payload) => heard.opcode == frame::PONG && heard.payload == *payload,
            Want::Close => heard.opcode == frame::CLOSE,
        }
    }
}
