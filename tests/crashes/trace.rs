//! A process that is run one instruction, or one system call, at a time.
use crate::process::Child;
use std::ptr;

/// What happened next to a traced process.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is about to enter a system call, or to return from one.
    Syscall,
    /// It called [`checkpoint`], or did its one instruction.
    Checkpoint,
    /// It ended, with this wait status.
    End(i32),
}

/// Called by the traced process: stops it until the tracer goes on. Makes no system call.
pub fn checkpoint() {
    // SAFETY: a breakpoint changes nothing; the tracer gets its signal.
    unsafe { std::arch::asm!("int3") };
}

/// The signal that tells of a system call, by `PTRACE_O_TRACESYSGOOD`.
const SYSCALL_STOP: i32 = libc::SIGTRAP | 0x80;

pub struct Tracee {
    child: Child,
}

impl Tracee {
    /// Starts a process that runs `body`; returns when that has called [`checkpoint`].
    pub fn start(body: impl FnOnce()) -> Self {
        let child = Child::fork(|| {
            // SAFETY: takes no pointers.
            unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
            body();
        });
        let mut tracee = Self { child };
        assert_eq!(tracee.wait(), Stop::Checkpoint, "the traced process failed on its way");
        tracee.request(libc::PTRACE_SETOPTIONS, 0, libc::PTRACE_O_TRACESYSGOOD as usize);
        tracee
    }

    fn request(&self, request: libc::c_uint, address: usize, data: usize) -> i64 {
        // SAFETY: what `data` points to, if anything, is valid by the callers below.
        let answer = unsafe { libc::ptrace(request, self.child.pid, address, data) };
        assert_ne!(answer, -1, "ptrace: {}", std::io::Error::last_os_error());
        answer
    }

    fn wait(&mut self) -> Stop {
        let status = self.child.wait();
        if !libc::WIFSTOPPED(status) {
            return Stop::End(status);
        }
        match libc::WSTOPSIG(status) {
            libc::SIGTRAP => Stop::Checkpoint,
            SYSCALL_STOP => Stop::Syscall,
            signal => panic!("the traced process got signal {signal}"),
        }
    }

    /// Runs one instruction.
    pub fn step(&mut self) {
        self.request(libc::PTRACE_SINGLESTEP, 0, 0);
        assert_eq!(self.wait(), Stop::Checkpoint);
    }

    /// Runs to the next entry to a system call, or the next return from one.
    pub fn run_to_syscall(&mut self) -> Stop {
        self.request(libc::PTRACE_SYSCALL, 0, 0);
        self.wait()
    }

    /// At the entry to a system call: makes no call at all, and the error its answer. Gives the number
    /// of the call.
    pub fn fail_syscall(&mut self, error: i32) -> i64 {
        let mut registers = self.registers();
        let number = registers.orig_rax as i64;
        registers.orig_rax = u64::MAX;
        self.set_registers(&registers);
        assert_eq!(self.run_to_syscall(), Stop::Syscall);
        registers = self.registers();
        registers.rax = i64::from(-error) as u64;
        self.set_registers(&registers);
        number
    }

    /// Runs to the next checkpoint, or to the end.
    pub fn run(&mut self) -> Stop {
        self.request(libc::PTRACE_CONT, 0, 0);
        self.wait()
    }

    pub fn registers(&self) -> libc::user_regs_struct {
        // SAFETY: plain numbers, for which zero is a valid value.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        self.request(libc::PTRACE_GETREGS, 0, ptr::from_mut(&mut registers) as usize);
        registers
    }

    pub fn set_registers(&self, registers: &libc::user_regs_struct) {
        self.request(libc::PTRACE_SETREGS, 0, ptr::from_ref(registers) as usize);
    }

    /// The number at an address in the process.
    pub fn peek(&self, address: u64) -> u64 {
        // SAFETY: reads the other process; a bad address is an error.
        unsafe { libc::ptrace(libc::PTRACE_PEEKDATA, self.child.pid, address as usize, 0) as u64 }
    }

    pub fn pid(&self) -> libc::pid_t {
        self.child.pid
    }

    pub fn kill(self) {
        self.child.kill();
    }
}
