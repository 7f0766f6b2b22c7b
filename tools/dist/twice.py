"""Builds the packages once more, in a checkout elsewhere, and compares them byte for byte."""

import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from project import ROOT, Build, run


def compare(build: Build, parts: list[str]) -> None:
    if subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=ROOT).returncode:
        raise SystemExit("another checkout would not have your changes: commit them first")
    elsewhere = Path(tempfile.mkdtemp(prefix="spsc-shm-elsewhere-"))
    checkout, out = elsewhere / "checkout", elsewhere / "packages"
    run("git", "clone", "--quiet", "--shared", ROOT, checkout)
    run(sys.executable, "tools/dist", "--out", out, *parts, cwd=checkout)
    names = [path.relative_to(out) for path in sorted(out.rglob("*")) if path.is_file()]
    same, different, missing = filecmp.cmpfiles(build.out, out, names, shallow=False)
    if different or missing:
        named = ", ".join(map(str, different + missing))
        raise SystemExit(f"not the same in {out}: {named}")
    shutil.rmtree(elsewhere)
    print(f"built twice, the same bytes: {len(same)} files")
