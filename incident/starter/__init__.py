"""The workspace that `shopwatch init` writes: files beside this one, copied as they are, so that they can be read and
tested as what they are."""

from pathlib import Path

from incident.errors import Refused

FILES = Path(__file__).parent / "files"
_RENAMED = {"gitignore": ".gitignore"}  # under its own name it would hide its neighbours from Git


def write(folder: Path) -> list[Path]:
    """Fills a new or empty folder, and returns what was written. Raises Refused for any other; nothing is replaced."""
    written = []
    try:
        if folder.exists() and not folder.is_dir():
            raise Refused(f"{folder} is a file; name a folder that is new or empty")
        if folder.is_dir() and any(folder.iterdir()):
            raise Refused(f"{folder} is not empty; name a folder that is new or empty")
        for source in sorted(path for path in FILES.rglob("*") if path.is_file()):
            target = folder / source.relative_to(FILES)
            target = target.with_name(_RENAMED.get(target.name, target.name))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            written.append(target)
    except OSError as error:
        raise Refused(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    return written
