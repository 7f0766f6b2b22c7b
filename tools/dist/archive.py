"""Archives whose bytes depend on nothing but the files' own: no times, no users, no order of a directory."""

import gzip
import tarfile
import time
import zipfile
from pathlib import Path


def files_under(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_symlink() or path.is_file())


def write_tarball(out: Path, directory: Path, root: str, epoch: int) -> None:
    """What lies under `directory`, as `root`/… in a .tar.gz."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = epoch
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    with (
        open(out, "wb") as file,
        gzip.GzipFile("", "wb", mtime=epoch, fileobj=file) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in files_under(directory):
            tar.add(path, f"{root}/{path.relative_to(directory)}", recursive=False, filter=plain)


def write_zip(out: Path, files: dict[str, bytes], epoch: int) -> None:
    """Files by their names in it."""
    date = time.gmtime(epoch)[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name], compresslevel=9)
