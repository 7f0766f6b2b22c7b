"""The tool `spsc`, and what comes with it."""

from functools import cache
from pathlib import Path

from project import ROOT, Build, empty, run, target

SHELLS = {
    "bash": "bash-completion/completions/spsc",
    "fish": "fish/vendor_completions.d/spsc.fish",
    "zsh": "zsh/vendor-completions/_spsc",
}


@cache
def staged(build: Build) -> Path:
    """A directory with bin and share, as they go under a prefix."""
    stage = build.work / "staged/tool"
    build.compiler_for()
    run("cargo", "build", "--quiet", "--release", "--locked", "--target", target(), cwd=ROOT / "tools/spsc")
    program = empty(stage) / "bin/spsc"
    program.parent.mkdir()
    built = build.cargo_target / target() / "release/spsc"
    program.write_bytes(built.read_bytes())
    program.chmod(0o755)
    run("strip", program)
    manual = stage / "share/man/man1"
    manual.mkdir(parents=True)
    run(program, "man", manual)
    for shell, place in SHELLS.items():
        file = stage / "share" / place
        file.parent.mkdir(parents=True)
        with file.open("wb") as out:
            run(program, "completions", shell, stdout=out)
    return stage
