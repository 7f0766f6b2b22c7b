//! A listener: a socket at a path, and the clients on their way in.
//!
//! No client can keep another waiting. What each says is read as it comes, and one that is silent or
//! slow is dropped after a second, or after a tenth where many are on their way. The second begins anew
//! with the listener's answer, and once if nobody called `accept` when it was over. All of that happens
//! inside [`Listener::accept`]: the listener's descriptor is an epoll set of the socket, of the clients
//! in the handshake, and of a timer for the slowest of them. So it is readable whenever `accept` has
//! something to do, and there is no thread.

use super::handshake::Server;
use super::path::{self, BoundPath};
use super::{Conn, Settings};
use crate::handle;
use crate::registry::Maker;
use crate::status::{Result, Status};
use crate::sys::clock;
use crate::sys::socket::{self, Flag, Set, Timer};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

/// How long a client may take to say what it has to.
const PATIENCE_NS: u64 = 1_000_000_000;
/// The same, where no more clients can come in.
const IMPATIENCE_NS: u64 = 100_000_000;
/// A listener that looks so long after its alarm was away, or the machine stood still.
const AWAY_NS: u64 = 50_000_000;

/// Waits for clients. Any thread may use it.
pub(crate) struct Listener {
    path: BoundPath,
    socket: OwnedFd,
    set: Set,
    timer: Timer,
    interrupt: Flag,
    settings: Settings,
    clients: Mutex<Clients>,
    /// The process that listens. A forked child may only close its copy.
    maker: Maker,
}

/// The clients on their way in, the one that has been silent for longest first.
struct Clients {
    all: Vec<Client>,
    /// Whether the set reports new ones.
    is_open: bool,
    /// When the timer is to fire, and somebody to look.
    alarm: Option<u64>,
}

impl Clients {
    /// A client's time begins anew, and it goes behind the others.
    fn give_time(&mut self, at: usize, now: u64) -> &mut Client {
        self.all[at].since = now;
        self.all[at..].rotate_left(1);
        self.all.last_mut().expect("it is there")
    }
}

struct Client {
    socket: OwnedFd,
    handshake: Server,
    /// When it came, or was last answered, or spared.
    since: u64,
    /// It was late when the listener was away, and was given more time.
    spared: bool,
}

impl Listener {
    pub(crate) fn bind(path: &[u8], settings: &Settings) -> Result<Self> {
        settings.check()?;
        let registry = handle::registry()?;
        let mut all = Vec::new();
        all.try_reserve_exact(settings.backlog as usize).map_err(|_| Status::NoMemory)?;
        let (set, timer, interrupt) = (Set::new()?, Timer::new()?, Flag::new()?);
        let (socket, path) = path::bind(path, settings.mode, settings.backlog)?;
        let listener = Self {
            path,
            socket,
            set,
            timer,
            interrupt,
            settings: settings.clone(),
            clients: Mutex::new(Clients { all, is_open: true, alarm: None }),
            maker: Maker::this_process(registry),
        };
        // After an error here, the path is removed with the rest.
        listener.set.add(listener.socket.as_raw_fd())?;
        listener.set.add(listener.timer.as_fd().as_raw_fd())?;
        Ok(listener)
    }

    /// Ends the current or the next wait in `accept`, once. Async-signal-safe.
    pub(crate) fn interrupt(&self) {
        self.interrupt.raise();
    }

    /// The next client that has said all it must.
    pub(crate) fn accept(&self, timeout_ns: u64) -> Result<Conn> {
        if !self.maker.is_this_process() {
            return Err(Status::Misuse.into());
        }
        let deadline = clock::now().saturating_add(timeout_ns);
        loop {
            if let Some(conn) = self.try_accept()? {
                return Ok(conn);
            }
            if timeout_ns != 0 && self.interrupt.take() {
                return Err(Status::Interrupted.into());
            }
            if timeout_ns == 0
                || !socket::wait_readable(&[self.set.as_fd(), self.interrupt.as_fd()], deadline)?
            {
                return Err(Status::Timeout.into());
            }
        }
    }

    fn try_accept(&self) -> Result<Option<Conn>> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let (listening, timer) = (self.socket.as_raw_fd(), self.timer.as_fd().as_raw_fd());
        let looked = clock::now();
        let was_away = clients.alarm.is_some_and(|alarm| looked >= alarm + AWAY_NS);
        let (mut come, mut late, mut done) = (false, false, None);
        // Until nothing is left to do: a caller may wait for edges.
        let mut more = true;
        while more && done.is_none() {
            more = self.set.look(|fd| {
                if fd == listening {
                    come = true;
                } else if fd == timer {
                    late = true;
                } else {
                    done = self.go_on_with(&mut clients, fd);
                }
                done.is_none()
            })?;
        }
        if late {
            self.timer.set(None);
            clients.alarm = None;
        }
        let heard_all = done.is_none();
        let mut let_in = Ok(());
        if heard_all && come {
            let_in = self.let_in(&mut clients, &mut done);
        }
        // Nobody is late for having waited here: what they had said until `looked` must have been read.
        if heard_all {
            self.dismiss_slow(&mut clients, looked, was_away);
        }
        self.set_alarm(&mut clients, looked)?;
        let_in.map(|()| done)
    }

    /// Reads what a client has said. It leaves the list when all is said, or for an error.
    fn go_on_with(&self, clients: &mut Clients, fd: RawFd) -> Option<Conn> {
        let at = clients.all.iter().position(|client| client.socket.as_raw_fd() == fd)?;
        let Client { socket, handshake, .. } = &mut clients.all[at];
        let was_answered = handshake.has_answered();
        match handshake.step(socket.as_fd(), &self.settings) {
            Ok(None) => {
                if handshake.has_answered() != was_answered {
                    clients.give_time(at, clock::now());
                }
                None
            }
            // Its error is its own.
            Err(_) => {
                socket::hang_up(self.dismiss(clients, at).as_fd());
                None
            }
            Ok(Some(ends)) => Some(Conn::new(ends, self.dismiss(clients, at))),
        }
    }

    /// Takes a client off the list.
    fn dismiss(&self, clients: &mut Clients, at: usize) -> OwnedFd {
        let client = clients.all.remove(at);
        // By hand, as a forked child may keep the socket open.
        self.set.remove(client.socket.as_raw_fd());
        client.socket
    }

    fn is_full(&self, clients: &Clients) -> bool {
        clients.all.len() >= self.settings.backlog as usize
    }

    /// Lets new clients in, up to one that has said all already.
    fn let_in(&self, clients: &mut Clients, done: &mut Option<Conn>) -> Result<()> {
        while done.is_none() && !self.is_full(clients) {
            let Some(socket) = socket::accept(self.socket.as_fd())? else { break };
            let fd = socket.as_raw_fd();
            self.set.add(fd)?;
            let (handshake, since) = (Server::new(), clock::now());
            clients.all.push(Client { socket, handshake, since, spared: false });
            // Most have said hello by now.
            *done = self.go_on_with(clients, fd);
        }
        Ok(())
    }

    /// Drops those that have taken too long. If the listener was away, they may have stood still with it,
    /// and get as much time again, once.
    fn dismiss_slow(&self, clients: &mut Clients, now: u64, was_away: bool) {
        let patience = if self.is_full(clients) { IMPATIENCE_NS } else { PATIENCE_NS };
        while let Some(oldest) = clients.all.first()
            && now >= oldest.since + patience
        {
            if was_away && !oldest.spared {
                clients.give_time(0, now).spared = true;
            } else {
                socket::hang_up(self.dismiss(clients, 0).as_fd());
            }
        }
    }

    /// Sees to it that `accept` is called when the next one has taken too long, and for new ones if
    /// there is room.
    fn set_alarm(&self, clients: &mut Clients, now: u64) -> Result<()> {
        let is_open = !self.is_full(clients);
        if is_open != clients.is_open {
            self.set.listen_to(self.socket.as_raw_fd(), is_open)?;
            clients.is_open = is_open;
        }
        let patience = if is_open { PATIENCE_NS } else { IMPATIENCE_NS };
        // Not before now: nobody could have looked then.
        let due = clients.all.first().map(|oldest| now.max(oldest.since + patience));
        // An alarm that comes too early does no harm, and to change it for each client would.
        if due.is_some_and(|due| clients.alarm.is_none_or(|alarm| due < alarm)) {
            self.timer.set(due);
            clients.alarm = due;
        }
        Ok(())
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.set.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.maker.is_this_process() {
            self.path.remove();
            let clients = self.clients.get_mut().unwrap_or_else(PoisonError::into_inner);
            for socket in clients.all.iter().map(|client| &client.socket).chain([&self.socket]) {
                socket::hang_up(socket.as_fd());
            }
            // Those that nobody has let in yet. No more can come.
            while let Ok(Some(client)) = socket::accept(self.socket.as_fd()) {
                socket::hang_up(client.as_fd());
            }
        }
    }
}
