"""Builds the packages once more, in a checkout elsewhere, and compares them byte for byte."""

import filecmp
import shutil
import sys
import tempfile
from pathlib import Path

from project import ROOT, Build, git, is_checkout, run


def compare(build: Build, arguments: list[str]) -> None:
    if not is_checkout() or git("status", "--porcelain", "--untracked-files=no"):
        raise SystemExit("another checkout would not have what is here: commit it first")
    with tempfile.TemporaryDirectory(prefix="spsc-shm-elsewhere-") as directory:
        checkout, out = Path(directory) / "check out", Path(directory) / "packages"
        git("clone", "--quiet", "--shared", str(ROOT), str(checkout))
        run(sys.executable, "tools/dist", "--out", out, *arguments, cwd=checkout)
        names = [path.relative_to(out) for path in sorted(out.rglob("*")) if path.is_file()]
        same, different, missing = filecmp.cmpfiles(build.out, out, names, shallow=False)
        if different or missing:
            kept = build.work / "elsewhere"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.move(out, kept)
            raise SystemExit(f"not the same in {kept}: {', '.join(map(str, different + missing))}")
        print(f"built twice, the same bytes: {len(same)} files")
