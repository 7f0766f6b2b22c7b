//! Watches the waiting protocol at work, between processes. `docs/TESTING.md` says how and why.
//!
//!     parking stress PAIRS [REFUSED SIDE]   sleeps and wake-ups under a watchdog
//!         REFUSED: registration | barrier | membarrier      SIDE: producer | consumer | both
//!     parking busy MESSAGES                 two processes that have no cause to sleep
//!     parking wakes MESSAGES                each message is published to a sleeping consumer
//!     parking idle SECONDS                  what it costs to wait for nothing
//!     parking any RINGS SLEEPS [REFUSED]    the stress with one waiter for many rings
//!         REFUSED: waitv-ENOSYS | waitv-EPERM
//!     parking doorbell SLEEPS [REFUSED SIDE]   the stress with event loops, over a connection
//!         REFUSED: as for stress      SIDE: server | client | both
//!     parking conn-busy MESSAGES            as busy, over a connection
//!     parking any-busy RINGS MESSAGES       one busy ring among many, and no cause to sleep
//!     parking any-cost WAKES                what many rings cost their waiter

mod any;
mod doorbell;

use spsc_shm::{Consumer, Options, Producer, Ring, Spin};
use std::error::Error;
use std::io::Read;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How far ahead of the truth this process's monotonic clock is, in seconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);
const DAY: i64 = 86_400;

/// The clock that the library reads. A sleeper wakes every 100 ms to see whether its peer lives,
/// so that a lost wake-up would pass for a slow one. With a clock that is a day ahead of the
/// kernel's, that deadline is a day away, and a lost wake-up a standstill.
///
/// # Safety
/// As the C library's, in whose place it stands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(
    clock: libc::clockid_t,
    time: *mut libc::timespec,
) -> libc::c_int {
    type Read = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> libc::c_int;
    static NEXT: OnceLock<Option<Read>> = OnceLock::new();
    // SAFETY: the C library has a function of this name and type.
    let find =
        || unsafe { std::mem::transmute(libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr())) };
    let Some(read) = NEXT.get_or_init(find) else { return -1 };
    // SAFETY: the caller's pointer is valid for the result, which is written on success.
    unsafe {
        let result = read(clock, time);
        if result == 0 && matches!(clock, libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_COARSE) {
            (*time).tv_sec += AHEAD.load(Ordering::Relaxed);
        }
        result
    }
}

/// From here on the kernel answers `error` to a call: with this first argument, or with any.
fn refuse_call(
    call: libc::c_long,
    argument: Option<libc::c_int>,
    error: libc::c_int,
) -> Outcome<()> {
    let statement = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = |offset| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let skip_unless =
        |value, skip| statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, skip, value);
    let answer = |value| statement(libc::BPF_RET | libc::BPF_K, 0, 0, value);
    // In a seccomp_data, the number of the call stands first and its first argument at 16.
    let mut filter = vec![load(0), skip_unless(call as u32, 1)];
    if let Some(argument) = argument {
        filter[1].jf = 3;
        filter.extend([load(16), skip_unless(argument as u32, 1)]);
    }
    filter.push(answer(libc::SECCOMP_RET_ERRNO | error as u32));
    filter.push(answer(libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its filter are valid during the calls.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    if refused { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}

/// The same number on every architecture.
const SYS_FUTEX_WAITV: libc::c_long = 449;

/// What the kernel refuses to one child.
fn refuse(what: &str) -> Outcome<()> {
    let membarrier = |command| refuse_call(libc::SYS_membarrier, command, libc::ENOSYS);
    match what {
        "nothing" => Ok(()),
        "registration" => membarrier(Some(libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)),
        "barrier" => membarrier(Some(libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED)),
        "membarrier" => membarrier(None),
        "waitv-ENOSYS" => refuse_call(SYS_FUTEX_WAITV, None, libc::ENOSYS),
        "waitv-EPERM" => refuse_call(SYS_FUTEX_WAITV, None, libc::EPERM),
        other => Err(format!("can't refuse {other}").into()),
    }
}

/// Tells a standstill from a slow machine.
struct Standstill<T> {
    last: Option<T>,
    naps: u32,
}

impl<T: PartialEq> Standstill<T> {
    /// A minute in naps, so that a program that was stopped does not count as one that stands still.
    const MOST: u32 = 6_000;
    const NAP: Duration = Duration::from_millis(10);

    fn new() -> Self {
        Self { last: None, naps: 0 }
    }

    /// Naps. True if nothing has changed for long.
    fn is_one(&mut self, now: T) -> bool {
        let now = Some(now);
        self.naps = if now == self.last { self.naps + 1 } else { 0 };
        self.last = now;
        std::thread::sleep(Self::NAP);
        self.naps >= Self::MOST
    }
}

/// A name that goes when its owner does.
struct Named(String);

impl Named {
    fn new() -> Self {
        Self(format!("spsc-parking-{}", std::process::id()))
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = Ring::unlink(&self.0);
    }
}

/// Another process of this program, that does not outlive its guard.
struct Worker(Child);

impl Worker {
    fn start(arguments: &[&str]) -> Outcome<Self> {
        let program = std::env::current_exe()?;
        Ok(Self(Command::new(program).args(arguments).stdout(Stdio::piped()).spawn()?))
    }

    fn ended(&mut self) -> Outcome<bool> {
        Ok(self.0.try_wait()?.is_some())
    }

    /// The number that it printed.
    fn result(mut self) -> Outcome<u64> {
        let mut text = String::new();
        self.0.stdout.take().ok_or("no output")?.read_to_string(&mut text)?;
        if !self.0.wait()?.success() {
            return Err("a worker failed".into());
        }
        Ok(text.trim().parse()?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Pauses of 0 to some microseconds, so that the two sides meet in every way.
struct Jitter(u64);

impl Jitter {
    fn next(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn pause(&mut self) {
        for _ in 0..self.next(400) {
            std::hint::spin_loop();
        }
    }
}

/// Bytes of a message in the stress: the ring holds two to four.
const SIZES: std::ops::RangeInclusive<u64> = 1024..=2048;

/// Moves bytes through one side, in pieces of its own sizes.
fn move_bytes(total: u64, seed: u64, mut piece: impl FnMut(usize) -> Outcome<()>) -> Outcome<()> {
    let mut jitter = Jitter(seed);
    let mut left = total;
    while left > 0 {
        let size = SIZES.start() + jitter.next(SIZES.end() - SIZES.start() + 1);
        let size = size.min(left);
        jitter.pause();
        piece(size as usize)?;
        left -= size;
    }
    Ok(())
}

/// `stress-worker SIDE RING BYTES REFUSED CLOCK SEED`: prints how often it slept.
fn stress_worker(arguments: &[&str]) -> Outcome<()> {
    let &[side, name, total, refused, ahead, seed] = arguments else {
        return Err("stress-worker is for stress to start".into());
    };
    refuse(refused)?;
    AHEAD.store(ahead.parse()?, Ordering::Relaxed);
    let (total, seed) = (total.parse()?, seed.parse()?);
    let ring = Ring::connect(name)?;
    let parks = if side == "producer" {
        let mut producer = ring.into_producer();
        move_bytes(total, seed, |size| {
            producer.claim(size, None)?.publish_all();
            Ok(())
        })?;
        producer.ring().stats().producer.parks
    } else {
        let mut consumer = ring.into_consumer();
        move_bytes(total, seed, |size| {
            consumer.peek(size, None)?.release_all();
            Ok(())
        })?;
        consumer.ring().stats().consumer.parks
    };
    println!("{parks}");
    Ok(())
}

/// One run of the two workers: how often they slept, together.
fn stress_round(bytes: u64, refused: [&str; 2], round: u64) -> Outcome<u64> {
    let name = Named::new();
    let ring = Options::new().spin(Spin::Never).create(&name.0, 1)?;
    // A sleeper without the barrier sleeps for 1 ms by the clock: that is what saves it.
    let timed = refused.iter().any(|what| matches!(*what, "barrier" | "membarrier"));
    let ahead = if timed { 0 } else { DAY }.to_string();
    let bytes = bytes.to_string();
    let start = |side, refused, seed: u64| {
        let seed = (0x9E37_79B9_7F4A_7C15 ^ (2 * round + seed)).to_string();
        Worker::start(&["stress-worker", side, &name.0, &bytes, refused, &ahead, &seed])
    };
    let mut workers = [start("producer", refused[0], 0)?, start("consumer", refused[1], 1)?];
    let mut standstill = Standstill::new();
    loop {
        if workers[0].ended()? && workers[1].ended()? {
            let [producer, consumer] = workers;
            return Ok(producer.result()? + consumer.result()?);
        }
        let stats = ring.stats();
        if standstill.is_one((stats.published, stats.released)) {
            return Err(format!("a standstill: {stats:?}").into());
        }
    }
}

fn stress(arguments: &[&str]) -> Outcome<()> {
    let (pairs, refused) = match arguments {
        [pairs] => (pairs, ["nothing"; 2]),
        [pairs, what, "producer"] => (pairs, [*what, "nothing"]),
        [pairs, what, "consumer"] => (pairs, ["nothing", *what]),
        [pairs, what, "both"] => (pairs, [*what; 2]),
        _ => return Err("stress PAIRS [registration|barrier|membarrier SIDE]".into()),
    };
    let wanted: u64 = pairs.parse()?;
    let start = Instant::now();
    let (mut parks, mut rounds) = (0, 0);
    while parks < wanted {
        // As if every message slept once, but a minute's worth at most.
        let messages = (wanted - parks).clamp(1_000, 500_000);
        parks += stress_round(messages * SIZES.end(), refused, rounds)?;
        rounds += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{parks} sleeps and wake-ups in {rounds} rounds, {seconds:.1} s, {:.0} a second; \
         refused: {} to the producer, {} to the consumer",
        parks as f64 / seconds,
        refused[0],
        refused[1]
    );
    Ok(())
}

const MESSAGE: usize = 64;

/// `consume RING MESSAGES`: prints how often it slept.
fn consume(arguments: &[&str]) -> Outcome<()> {
    let &[name, messages] = arguments else { return Err("consume is for others to start".into()) };
    AHEAD.store(DAY, Ordering::Relaxed);
    let mut consumer: Consumer = Ring::connect(name)?.into_consumer();
    for _ in 0..messages.parse()? {
        consumer.peek(MESSAGE, None)?.release_all();
    }
    println!("{}", consumer.ring().stats().consumer.parks);
    Ok(())
}

fn send(producer: &mut Producer) -> Outcome<()> {
    let mut grant = producer.claim(MESSAGE, None)?;
    grant.copy_from_slice(&[1; MESSAGE]);
    grant.publish_all();
    Ok(())
}

fn busy(messages: &str) -> Outcome<()> {
    let name = Named::new();
    // strace makes a system call of one side so slow that the other gives up a short spin.
    let spin = Spin::For(Duration::from_millis(1));
    let mut producer = Options::new().spin(spin).create(&name.0, 1 << 20)?.into_producer();
    let consumer = Worker::start(&["consume", &name.0, messages])?;
    for _ in 0..messages.parse()? {
        send(&mut producer)?;
    }
    let parks = consumer.result()? + producer.ring().stats().producer.parks;
    println!("{messages} messages, {parks} sleeps");
    Ok(())
}

/// Whether a process sleeps in the kernel.
fn sleeps(pid: u32) -> Outcome<bool> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" S")))
}

fn wakes(messages: &str) -> Outcome<()> {
    let name = Named::new();
    let mut producer = Options::new().spin(Spin::Never).create(&name.0, 1)?.into_producer();
    let consumer = Worker::start(&["consume", &name.0, messages])?;
    for _ in 0..messages.parse()? {
        while !(producer.ring().stats().consumer.parked && sleeps(consumer.0.id())?) {
            std::thread::yield_now();
        }
        send(&mut producer)?;
    }
    consumer.result()?;
    println!("{messages} messages, {} wake-ups", producer.ring().stats().producer.wakes);
    Ok(())
}

/// CPU time of this process, and how often it went to sleep.
fn usage() -> (Duration, i64) {
    // SAFETY: plain numbers, for which zero is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a valid place for the result.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    (time(usage.ru_utime) + time(usage.ru_stime), usage.ru_nvcsw)
}

fn idle(seconds: &str) -> Outcome<()> {
    let seconds: u64 = seconds.parse()?;
    let (mut producer, mut consumer) = Ring::anonymous(1)?.split();
    send(&mut producer)?;
    consumer.peek(MESSAGE, None)?.release_all();
    let ring = std::sync::Arc::clone(producer.ring());
    let waiting = std::thread::spawn(move || consumer.peek(1, None).err());
    while !ring.stats().consumer.parked {
        std::thread::yield_now();
    }
    let (start, before, parks) = (Instant::now(), usage(), ring.stats().consumer.parks);
    std::thread::sleep(Duration::from_secs(seconds));
    let (after, parks) = (usage(), ring.stats().consumer.parks - parks);
    // The time comes last, and first: all that was counted was in between.
    let elapsed = start.elapsed().as_secs_f64();
    let parks = parks as f64 / elapsed;
    let cpu = (after.0 - before.0).as_secs_f64() / elapsed * 100.0;
    let switches = (after.1 - before.1) as f64 / elapsed;
    println!(
        "idle for {elapsed:.0} s: {cpu:.4} % CPU, {parks:.1} sleeps a second ({switches:.1} switches)"
    );
    drop(producer);
    waiting.join().map_err(|_| "the waiter panicked")?.ok_or("data from nowhere")?;
    if parks < 20.0 { Ok(()) } else { Err("an idle waiter wakes too often".into()) }
}

fn run(arguments: &[&str]) -> Outcome<()> {
    match arguments {
        ["stress", rest @ ..] => stress(rest),
        ["stress-worker", rest @ ..] => stress_worker(rest),
        ["consume", rest @ ..] => consume(rest),
        ["busy", messages] => busy(messages),
        ["wakes", messages] => wakes(messages),
        ["idle", seconds] => idle(seconds),
        ["any", rest @ ..] => any::stress(rest),
        ["any-consume", rest @ ..] => any::consume(rest),
        ["any-produce", rest @ ..] => any::produce(rest),
        ["doorbell", rest @ ..] => doorbell::stress(rest),
        ["conn-busy", messages] => doorbell::busy(messages),
        ["conn-consume", rest @ ..] => doorbell::consume(rest),
        ["doorbell-worker", rest @ ..] => doorbell::worker(rest),
        ["any-busy", rings, messages] => any::busy(rings, messages),
        ["any-serve", rest @ ..] => any::serve(rest),
        ["any-cost", wakes] => any::cost(wakes),
        ["any-wake", rest @ ..] => any::wake(rest),
        _ => {
            Err("parking stress|busy|wakes|idle|any…|doorbell|conn-busy NUMBER …: see the top of the source"
                .into())
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("parking: {error}");
            ExitCode::FAILURE
        }
    }
}
