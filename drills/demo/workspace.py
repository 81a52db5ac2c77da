"""The workspace that the demo writes: the shipped journeys and drills, and settings that fit them."""

import shutil
import tempfile
from pathlib import Path

from drills.commands import LIBRARY
from drills.loading import SHIPPED_JOURNEYS


def write() -> Path:
    """A new folder among the temporary ones; it stays when the demo ends. Raises OSError."""
    folder = Path(tempfile.mkdtemp(prefix="shopwatch-demo-"))
    shutil.copy(Path(__file__).parent / "shopwatch.yaml", folder)
    for source, name in ((SHIPPED_JOURNEYS, "probes"), (LIBRARY, "drills")):
        (folder / name).mkdir()
        for path in sorted(source.glob("*.yaml")):
            shutil.copy(path, folder / name)
    (folder / "runbooks").mkdir()
    return folder
