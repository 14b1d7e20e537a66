"""The pictures of the documentation, from those that the tests in a browser have kept: `make pictures`."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from orchestration.settings import PROJECT_ROOT

# What the tests have kept, and the picture of the documentation that it becomes.
_PICTURES = {
    "dagster-from-the-stream-to-dashboard-and-index": "asset-graph",
    "preview-sheet": "dashboard",
    "lineage-way-of-a-field-from-stream-to-dashboard": "field-lineage",
}
_COLORS = 256
_MOST_BYTES = 250_000


def write(artefacts: Path, images: Path) -> list[Path]:
    """Write each picture of the documentation anew, with few colours. Returns what was written.

    Raises:
        FileNotFoundError: If the tests have not kept a picture that is needed.
        ValueError: If one is too large for a page that is read over a network.
    """
    written = []
    for kept, name in _PICTURES.items():
        source, target = artefacts / f"{kept}.png", images / f"{name}.png"
        if not source.is_file():
            raise FileNotFoundError(f"{source} is missing: `make test-browser` makes it, where there is a Chromium")
        with Image.open(source) as picture:
            few = picture.convert("RGB").quantize(_COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            few.save(target, optimize=True)
        if target.stat().st_size > _MOST_BYTES:
            raise ValueError(
                f"{target} has {target.stat().st_size:,} bytes; let its test show less, {_MOST_BYTES:,} at most"
            )
        written.append(target)
    return written


if __name__ == "__main__":
    for path in write(PROJECT_ROOT / "test-artefacts", PROJECT_ROOT / "docs" / "images"):
        sys.stdout.write(f"wrote {path.relative_to(PROJECT_ROOT)}, {path.stat().st_size:,} bytes\n")
