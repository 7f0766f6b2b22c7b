"""The Go modules, as a module proxy serves them: GOPROXY=file://…/go

There is the package's module, and for each platform one with its static library.
"""

import json
import tempfile
from pathlib import Path

import library
import licences
from archive import files_under, write_zip
from project import ROOT, VERSION, Build, empty, git, is_checkout, output_of, run

MODULE = "github.com/spsc-shm/spsc-shm/bindings/go"
# What rustc and Go call a processor.
PLATFORMS = {"x86_64": "amd64", "aarch64": "arm64"}


def make(build: Build) -> None:
    proxy = empty(build.out / "go")
    source = ROOT / "bindings/go"
    _publish(build, proxy, MODULE, _files(source))
    licence = licences.of_all(Path("."))
    for architecture in build.architectures:
        name = PLATFORMS[architecture]
        files = _files(source / f"native/linux_{name}")
        files |= licence
        files["libspsc_shm.a"] = (library.staged(build, architecture) / "lib/libspsc_shm.a").read_bytes()
        _publish(build, proxy, f"{MODULE}/native/linux_{name}", files)


def _files(module: Path) -> dict[str, bytes]:
    """What a module has, but for the modules in directories below it."""
    if is_checkout():
        names = git("ls-files", cwd=module).splitlines()
    else:
        names = [str(path.relative_to(module)) for path in files_under(module)]
    nested = tuple(name.removesuffix("go.mod") for name in names if name.endswith("/go.mod"))
    # A symbolic link, as to the header, is followed, because a module has none. That to a library
    # may lead nowhere yet.
    files = {
        name: (module / name).read_bytes()
        for name in names
        if not name.startswith(nested) and not name.endswith(".a")
    }
    return files | licences.own()


def _publish(build: Build, proxy: Path, module: str, files: dict[str, bytes]) -> None:
    files["go.mod"] = _without_replacements(files["go.mod"])
    version = f"v{VERSION}"
    directory = empty(proxy / module / "@v")
    (directory / "list").write_text(version + "\n")
    (directory / f"{version}.info").write_text(json.dumps({"Version": version, "Time": build.time}) + "\n")
    (directory / f"{version}.mod").write_bytes(files["go.mod"])
    inside = {f"{module}@{version}/{name}": contents for name, contents in files.items()}
    write_zip(directory / f"{version}.zip", inside, build.epoch)


def _without_replacements(go_mod: bytes) -> bytes:
    """They are for the source tree, and `go install` refuses a module that has some."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "go.mod"
        file.write_bytes(go_mod)
        replaced = json.loads(output_of("go", "mod", "edit", "-json", file))["Replace"] or []
        for module in replaced:
            run("go", "mod", "edit", f"-dropreplace={module['Old']['Path']}", file)
        return file.read_bytes()
