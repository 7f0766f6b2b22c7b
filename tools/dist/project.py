"""What all packages have in common: the version, the time that is written into them, and the compilers."""

import os
import platform
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import BinaryIO

ROOT = Path(__file__).resolve().parents[2]
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
# What can be built for, and on, this machine or another.
ARCHITECTURES = ["x86_64", "aarch64"]
ARCHITECTURE = platform.machine()
# The oldest C library that what is built runs with. That of Debian 10, RHEL 8, and manylinux_2_28.
GLIBC = "2.28"
# The tools that come from Python's index, by exact versions: another one writes other bytes.
TOOLS = ["ziglang==0.17.1", "cargo-zigbuild==0.24.1", "maturin==1.15.0"]


def run(*command: str | Path, cwd: Path = ROOT, stdout: BinaryIO | None = None, **environment: str) -> None:
    """Runs a command, which must succeed."""
    words = [str(word) for word in command]
    subprocess.run(words, cwd=cwd, check=True, stdout=stdout, env=os.environ | environment)


def output_of(*command: str | Path, cwd: Path = ROOT) -> str:
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


def git(*words: str, cwd: Path = ROOT) -> str:
    # Also where the checkout is another user's.
    return output_of("git", "-c", "safe.directory=*", *words, cwd=cwd)


def is_checkout() -> bool:
    """Whether the tree is git's, and not unpacked from an archive."""
    return (ROOT / ".git").exists() and shutil.which("git") is not None


def empty(directory: Path) -> Path:
    """The directory, made anew."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def target(architecture: str = ARCHITECTURE) -> str:
    """What rustc calls it."""
    return f"{architecture}-unknown-linux-gnu"


def _time_of_the_source() -> int:
    if is_checkout():
        return int(git("log", "-1", "--format=%ct"))
    # An archive keeps it.
    return int((ROOT / "CHANGELOG.md").stat().st_mtime)


# What cargo runs in the place of rustc. Cargo hashes what it knows of a package. From the hash come the
# names of symbols, and with them the order of functions. For a package outside the workspace, as the
# library is to the bindings, the path is hashed too.
RUSTC_WRAPPER = f"""\
#!/bin/sh
case $CARGO_MANIFEST_DIR in {quote(str(ROOT))}|{quote(str(ROOT))}/*)
    for word do
        shift
        case $word in metadata=*) word=metadata=$CARGO_PKG_NAME-$CARGO_PKG_VERSION ;; esac
        set -- "$@" "$word"
    done
esac
exec "$@"
"""


class Build:
    """One run: where its packages go, and the environment in which all of them are built."""

    def __init__(self, out: Path, architectures: list[str]) -> None:
        self.out = out
        self.architectures = architectures
        self.work = ROOT / "target/dist"
        self.cargo_target = self.work / "cargo"
        out.mkdir(parents=True, exist_ok=True)
        # The time that packages give for their files.
        self.epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _time_of_the_source())
        os.environ["SOURCE_DATE_EPOCH"] = str(self.epoch)
        # Nothing depends on who builds it, or where.
        os.environ |= {"LC_ALL": "C.UTF-8", "TZ": "UTC", "CARGO_TARGET_DIR": str(self.cargo_target)}
        os.umask(0o022)
        wrapper = self.work / "rustc-wrapper"
        self._write_program(wrapper, RUSTC_WRAPPER)
        os.environ["RUSTC_WRAPPER"] = str(wrapper)
        cargo_home = os.environ.get("CARGO_HOME", str(Path.home() / ".cargo"))
        flags = [f"--remap-path-prefix={ROOT}=/spsc-shm", f"--remap-path-prefix={cargo_home}=/cargo"]
        os.environ["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(flags)

    @property
    def time(self) -> str:
        """The time that packages give, in words."""
        return datetime.fromtimestamp(self.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def compiler_for(self, architecture: str = ARCHITECTURE) -> Path:
        """A C compiler for this processor and an old C library. Cargo links with it from here on, and
        has the standard library for this processor; and the tools of `TOOLS` are found."""
        sysroot = Path(output_of("rustc", "--print=sysroot").strip())
        if not (sysroot / "lib/rustlib" / target(architecture)).exists():
            if not shutil.which("rustup"):
                raise SystemExit(f"no rustup, to get Rust's standard library for {architecture}")
            run("rustup", "--quiet", "target", "add", target(architecture))
        return self._tools / f"{architecture}-cc"

    @cached_property
    def _tools(self) -> Path:
        """A directory with the tools of `TOOLS` and the compilers, which is searched from here on."""
        tools = self.work / "tools"
        installed = tools / "installed"
        wanted = "\n".join(TOOLS)
        if not installed.exists() or installed.read_text() != wanted:
            run(sys.executable, "-m", "venv", "--clear", tools)
            run(tools / "bin/pip", "--quiet", "--disable-pip-version-check", "install", *TOOLS)
            installed.write_text(wanted)
        os.environ["PATH"] = f"{tools / 'bin'}:{os.environ['PATH']}"
        for architecture in ARCHITECTURES:
            compiler = tools / f"bin/{architecture}-cc"
            zig_target = f"{architecture}-linux-gnu.{GLIBC}"
            self._write_program(
                compiler, f'#!/bin/sh\nexec cargo-zigbuild zig cc -- -target {zig_target} "$@"\n'
            )
            name = target(architecture).upper().replace("-", "_")
            os.environ[f"CARGO_TARGET_{name}_LINKER"] = str(compiler)
        return tools / "bin"

    @staticmethod
    def _write_program(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
