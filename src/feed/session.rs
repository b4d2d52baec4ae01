//! The life of one connection that is up: what is sent, what is read, and when it ends (RFC 6455; FAULTS 89 to 92).

use std::io;
use std::time::Duration;

use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::end::End;
use super::link::Link;
use super::queue::Refused;
use super::{Feeds, Messages};
use crate::http::{Failure, Upgrade};
use crate::limits::{FEED_GATHER, FEED_GATHER_BYTES, FEED_SILENCE, FEED_WRITE_BYTES, RECORD_BYTES};

/// Bytes that tungstenite takes at once of what was read. It clears that much each time, so more costs more.
const TAKEN_BYTES: usize = 8 << 10;

/// See the module.
pub(super) struct Session<'a> {
    feeds: Feeds<'a>,
    feed: u32,
    connection: u32,
    socket: WebSocket<Link>,
    /// When the last data message was handed on, or the connection was up; by the monotonic clock, as what follows.
    last_message: Duration,
    /// When the next heartbeat is due.
    next_heartbeat: Option<Duration>,
}

impl<'a> Session<'a> {
    pub(super) fn new(feeds: Feeds<'a>, feed: u32, connection: u32, upgrade: Upgrade) -> Self {
        let link = Link::new(upgrade.connection, &upgrade.rest, feeds.clock.clone());
        let limits = WebSocketConfig::default()
            .read_buffer_size(TAKEN_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(FEED_WRITE_BYTES)
            .max_message_size(Some(RECORD_BYTES))
            .max_frame_size(Some(RECORD_BYTES));
        let now = feeds.clock.elapsed();
        let heartbeat = feeds.settings.heartbeat.as_ref();
        Self {
            feeds,
            feed,
            connection,
            socket: WebSocket::from_raw_socket(link, Role::Client, Some(limits)),
            last_message: now,
            next_heartbeat: heartbeat.map(|heartbeat| now.saturating_add(heartbeat.every)),
        }
    }

    /// Sends what subscribes, then reads until it is stopped.
    ///
    /// # Errors
    /// Why the connection ended before that.
    pub(super) fn run(mut self) -> Result<(), End> {
        let outcome = self.live();
        let code = outcome
            .as_ref()
            .map_or_else(End::close_code, |()| CloseCode::Normal);
        // At the end the other side is told, or answered, as far as it takes it at once; it may be gone.
        let reason = "".into();
        let _ = self.socket.close(Some(CloseFrame { code, reason }));
        outcome
    }

    fn live(&mut self) -> Result<(), End> {
        for text in &self.feeds.settings.subscribe {
            self.send(Message::text(text.as_str()))?;
        }
        while self.feeds.stop.cause().is_none() {
            let filled = self.socket.get_mut().fill();
            self.take()?;
            let read = filled.map_err(|cause| End::Lost(Failure::of(cause)))?;
            self.look_at_the_time()?;
            if (1..FEED_GATHER_BYTES).contains(&read) {
                self.feeds.stop.wait(FEED_GATHER);
            }
        }
        Ok(())
    }

    /// Hands on the messages that are whole now, also those before a fault.
    fn take(&mut self) -> Result<(), End> {
        let clock = &self.feeds.clock;
        let (received_at_us, received_at) = (clock.wall_us(), clock.elapsed());
        let mut messages = Messages::new(self.feed, self.connection, received_at_us, received_at);
        let unread = self.socket.get_ref().unread();
        let mut keep = |message: &[u8]| {
            // Not before there is one: most reads of a long message give none.
            if messages.is_empty() {
                messages.reserve(unread.max(message.len()));
            }
            messages.push(message);
        };
        let outcome = loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => keep(text.as_bytes()),
                Ok(Message::Binary(bytes)) => keep(&bytes),
                Ok(Message::Close(frame)) => break Err(End::Closed(frame)),
                // The next call, which comes at once, answers a ping first.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Err(error) if is_blocked(&error) => break Ok(()),
                Err(error) => break Err(End::of(error)),
            }
        };
        if !messages.is_empty() {
            let clock = &**self.feeds.clock;
            match self.feeds.queue.push(messages, clock, self.feeds.stop) {
                Ok(()) => self.last_message = clock.elapsed(),
                Err(Refused::Full) => return Err(End::Overrun),
                // The caller looks for that.
                Err(Refused::Stopped) => {}
            }
        }
        outcome
    }

    /// Silence, heartbeats, and what could not be sent yet.
    fn look_at_the_time(&mut self) -> Result<(), End> {
        let now = self.feeds.clock.elapsed();
        let settings = self.feeds.settings;
        if now.saturating_sub(self.last_message) >= settings.idle {
            return Err(End::Idle(settings.idle));
        }
        if let Some(heartbeat) = &settings.heartbeat
            && self.next_heartbeat.is_some_and(|next| now >= next)
        {
            self.next_heartbeat = Some(now.saturating_add(heartbeat.every));
            self.send(match &heartbeat.text {
                Some(text) => Message::text(text.as_str()),
                None => Message::Ping(Default::default()),
            })?;
        }
        if self.socket.get_ref().blocked_since().is_some() {
            settled(self.socket.flush())?;
        }
        match self.socket.get_ref().blocked_since() {
            Some(since) if now.saturating_sub(since) >= FEED_SILENCE => Err(End::Deaf),
            Some(_) | None => Ok(()),
        }
    }

    /// Sends, now or as soon as the other side takes it.
    fn send(&mut self, message: Message) -> Result<(), End> {
        settled(self.socket.send(message))
    }
}

fn settled(outcome: tungstenite::Result<()>) -> Result<(), End> {
    match outcome {
        Err(error) if !is_blocked(&error) => Err(End::of(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn is_blocked(error: &tungstenite::Error) -> bool {
    matches!(error, tungstenite::Error::Io(cause) if cause.kind() == io::ErrorKind::WouldBlock)
}
