//! `spsc top`: the traffic of all rings, live, on a terminal; or as lines of JSON, or for Prometheus.

use crate::cli::{Order, Top};
use crate::exit::{About, Failure, Result};
use crate::listing::who;
use crate::look::{self, Look, Side};
use crate::text::{bytes, plain};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Row, Table};
use ratatui::{DefaultTerminal, Frame};
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::collections::HashMap;
use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What ends the program from outside.
const ENDING: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// A ring, and what has happened to it since the look before.
#[derive(Serialize)]
struct Traffic {
    #[serde(flatten)]
    look: Look,
    published_per_s: f64,
    released_per_s: f64,
    /// Sleeps of the two processes, for any reason.
    sleeps_per_s: f64,
}

/// The looks before, by name.
#[derive(Default)]
struct History {
    before: HashMap<String, (Instant, Look)>,
    /// Rings that could not be read, in the last look.
    refused: usize,
}

impl History {
    fn look(&mut self) -> Result<Vec<Traffic>> {
        let mut before = std::mem::take(&mut self.before);
        let mut all = Vec::new();
        self.refused = 0;
        // Words on standard error would get into the picture.
        for look in look::all_but(|_, _| self.refused += 1).about("/dev/shm")? {
            let now = Instant::now();
            // A ring that was replaced begins anew.
            let earlier = before.remove(&look.name).filter(|(_, old)| old.age_s <= look.age_s);
            all.push(traffic(&look, earlier.as_ref(), now));
            self.before.insert(look.name.clone(), (now, look));
        }
        Ok(all)
    }
}

fn traffic(look: &Look, earlier: Option<&(Instant, Look)>, now: Instant) -> Traffic {
    let mut traffic = Traffic {
        look: look.clone(),
        published_per_s: 0.0,
        released_per_s: 0.0,
        sleeps_per_s: 0.0,
    };
    if let Some((at, old)) = earlier {
        let seconds = now.duration_since(*at).as_secs_f64().max(1e-9);
        let slept = sleeps(&old.producer, &look.producer) + sleeps(&old.consumer, &look.consumer);
        traffic.published_per_s = look.published.wrapping_sub(old.published) as f64 / seconds;
        traffic.released_per_s = look.released.wrapping_sub(old.released) as f64 / seconds;
        traffic.sleeps_per_s = slept as f64 / seconds;
    }
    traffic
}

/// How often a side's process slept between two looks, if it is the same one.
fn sleeps(old: &Side, new: &Side) -> u64 {
    match (old.process_sleeps, new.process_sleeps) {
        (Some(before), Some(now)) if old.pid == new.pid => now.saturating_sub(before),
        _ => 0,
    }
}

pub fn run(options: &Top) -> Result {
    if options.prometheus {
        prometheus(&look::all().about("/dev/shm")?)?;
    } else if options.json {
        lines(options)?;
    } else {
        on_screen(options)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// However it ends, the terminal is put back.
fn on_screen(options: &Top) -> Result<()> {
    if !stdout().is_terminal() {
        return Err(Failure::new("standard output is no terminal; see --json and --prometheus"));
    }
    // Where nobody reads the terminal, it can't be put back: a second signal ends the program at once.
    let signalled = Arc::new(AtomicBool::new(false));
    for signal in ENDING {
        flag::register_conditional_default(signal, Arc::clone(&signalled))?;
        flag::register(signal, Arc::clone(&signalled))?;
    }
    let mut signals = Signals::new(ENDING)?;
    let terminal = Arc::new(Mutex::new(ratatui::try_init()?));
    let drawn_on = Arc::clone(&terminal);
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            // Nothing is drawn any more.
            let mut drawing = lock(&drawn_on);
            put_back(&mut drawing);
            // It ends the program, as the signal would have.
            let _ = emulate_default_handler(signal);
        }
    });
    let result = Screen::new(options).run(&terminal);
    put_back(&mut lock(&terminal));
    result
}

fn put_back(terminal: &mut DefaultTerminal) {
    let _ = terminal.show_cursor();
    ratatui::restore();
}

fn lock(terminal: &Mutex<DefaultTerminal>) -> MutexGuard<'_, DefaultTerminal> {
    terminal.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lines(options: &Top) -> Result<()> {
    let mut history = History::default();
    let mut looks = 0;
    loop {
        let mut shown = history.look()?;
        shown.retain(|one| one.look.name.contains(&options.filter));
        let mut out = stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&shown).expect("plain values"))?;
        out.flush()?;
        looks += 1;
        if options.count == Some(looks) {
            return Ok(());
        }
        std::thread::sleep(options.interval);
    }
}

fn prometheus(looks: &[Look]) -> Result<()> {
    type Figure = fn(&Look) -> f64;
    fn flag(yes: bool) -> f64 {
        f64::from(u8::from(yes))
    }
    let figures: [(&str, &str, &str, Figure); 7] = [
        ("capacity_bytes", "gauge", "Bytes that the ring holds at most.", |l| l.capacity as f64),
        ("available_bytes", "gauge", "Bytes published and not yet released.", |l| {
            l.available as f64
        }),
        ("published_bytes_total", "counter", "Bytes ever published.", |l| l.published as f64),
        ("released_bytes_total", "counter", "Bytes ever released.", |l| l.released as f64),
        ("in_use", "gauge", "Whether a live handle has a role, or made the ring.", |l| {
            flag(l.in_use)
        }),
        ("producer_up", "gauge", "Whether the ring has a live producer.", |l| {
            flag(l.producer.is_attached())
        }),
        ("consumer_up", "gauge", "Whether the ring has a live consumer.", |l| {
            flag(l.consumer.is_attached())
        }),
    ];
    let mut out = stdout().lock();
    for (name, kind, help, figure) in figures {
        writeln!(out, "# HELP spsc_ring_{name} {help}\n# TYPE spsc_ring_{name} {kind}")?;
        for look in looks {
            let value = figure(look);
            let ring = look.name.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            writeln!(out, "spsc_ring_{name}{{ring=\"{ring}\"}} {value}")?;
        }
    }
    Ok(())
}

struct Screen {
    history: History,
    shown: Vec<Traffic>,
    interval: Duration,
    left: Option<u64>,
    order: Order,
    reversed: bool,
    filter: String,
    /// Whether the keys go into the filter.
    typing: bool,
}

impl Screen {
    fn new(options: &Top) -> Self {
        Self {
            history: History::default(),
            shown: Vec::new(),
            interval: options.interval,
            left: options.count,
            order: options.sort,
            reversed: false,
            filter: options.filter.clone(),
            typing: false,
        }
    }

    fn run(&mut self, terminal: &Mutex<DefaultTerminal>) -> Result<()> {
        loop {
            self.shown = self.history.look()?;
            if let Some(left) = self.left.as_mut() {
                if *left == 0 {
                    return Ok(());
                }
                *left -= 1;
            }
            let next = Instant::now() + self.interval;
            loop {
                lock(terminal).draw(|frame| self.draw(frame))?;
                let rest = next.saturating_duration_since(Instant::now());
                if !event::poll(rest)? {
                    break;
                }
                if let Event::Key(key) = event::read()?
                    && key.kind == KeyEventKind::Press
                    && self.quits(key)
                {
                    return Ok(());
                }
            }
        }
    }

    fn quits(&mut self, key: KeyEvent) -> bool {
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        match key.code {
            _ if key == interrupt => return true,
            KeyCode::Enter | KeyCode::Esc if self.typing => self.typing = false,
            KeyCode::Backspace if self.typing => _ = self.filter.pop(),
            KeyCode::Char(letter) if self.typing => self.filter.push(letter),
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char('/') => {
                self.typing = true;
                self.filter.clear();
            }
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Char('s') => {
                self.order = match self.order {
                    Order::Rate => Order::Fill,
                    Order::Fill => Order::Name,
                    Order::Name => Order::Rate,
                }
            }
            _ => {}
        }
        false
    }

    /// Those that match, in order.
    fn sorted(&self) -> Vec<&Traffic> {
        let mut rows: Vec<_> =
            self.shown.iter().filter(|one| one.look.name.contains(&self.filter)).collect();
        match self.order {
            Order::Rate => rows.sort_by(|a, b| b.published_per_s.total_cmp(&a.published_per_s)),
            Order::Fill => rows.sort_by(|a, b| b.look.fill().total_cmp(&a.look.fill())),
            Order::Name => rows.sort_by(|a, b| a.look.name.cmp(&b.look.name)),
        }
        if self.reversed {
            rows.reverse();
        }
        rows
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let [head, body, foot] =
            Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)])
                .areas(frame.area());
        let rows = self.sorted();
        let order = match self.order {
            Order::Rate => "bytes a second",
            Order::Fill => "fill",
            Order::Name => "name",
        };
        let total: f64 = rows.iter().map(|one| one.published_per_s).sum();
        let count = rows.len();
        let refused = match self.history.refused {
            0 => String::new(),
            refused => format!(", {refused} unreadable: see spsc ls"),
        };
        let title = format!("{count} rings, {}/s in all, by {order}{refused}", bytes(total as u64));
        frame.render_widget(Line::from(title), head);
        // A terminal of 80 columns has room for short bars, and names of commands in part.
        let narrow = frame.area().width < 105;
        let (bar, name, side) = if narrow { (4, 12, 14) } else { (10, 16, 20) };
        let widths = [
            Constraint::Min(name),
            Constraint::Length(bar as u16 + 6),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(side),
            Constraint::Length(side),
        ];
        let titles = ["RING", "FILL", "IN/s", "OUT/s", "SLEEPS/s", "PRODUCER", "CONSUMER"];
        let titles = Row::new(titles).style(Style::new().add_modifier(Modifier::REVERSED));
        frame.render_widget(
            Table::new(rows.iter().map(|one| row(one, bar)), widths).header(titles),
            body,
        );
        let keys = if self.typing {
            format!("filter: {}_", plain(&self.filter))
        } else if self.filter.is_empty() {
            "q quit   s sort   r reverse   / filter".to_owned()
        } else {
            format!("q quit   s sort   r reverse   / filter: {}", plain(&self.filter))
        };
        frame.render_widget(Line::from(keys), foot);
    }
}

fn row(one: &Traffic, width: usize) -> Row<'static> {
    let look = &one.look;
    let filled = (look.fill() * width as f64).round().clamp(0.0, width as f64) as usize;
    let bar = format!("{}{}", "█".repeat(filled), "░".repeat(width - filled));
    let side = |side: &Side| format!("{}{}", if side.sleeps { "z " } else { "  " }, who(side));
    Row::new([
        plain(&look.name),
        format!("{bar} {:3.0} %", 100.0 * look.fill()),
        bytes(one.published_per_s as u64),
        bytes(one.released_per_s as u64),
        format!("{:.0}", one.sleeps_per_s),
        side(&look.producer),
        side(&look.consumer),
    ])
}
