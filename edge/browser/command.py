"""Write the browser demo: a static site that runs the model in the visitor's browser, on the webcam or on pictures.

edge-emotion browser site/             the visitor's browser gets the runtime and the detector from their public homes
edge-emotion browser site/ --offline   they are downloaded now, and the site works without the internet
python -m http.server -d site 8000     then open http://localhost:8000/
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edge.arguments import ArgumentParser
from edge.backend import SHIPPED, model_path
from edge.browser.files import site_files
from edge.browser.third_party import FILES
from edge.errors import OutputError, exit_status
from edge.files import atomic_write


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = ArgumentParser("edge-emotion browser", __doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="new or empty folder, or one of an earlier run")
    parser.add_argument("--offline", action="store_true", help="put the third parties' files into the site (10 MB)")
    parser.add_argument(
        "--model", type=model_path, default=SHIPPED, metavar="FILE", help=".tflite file of this project"
    )
    args = parser.parse_args(argv)
    return exit_status(lambda: write(args))


def write(args: argparse.Namespace) -> int:
    """Write the site. Raises OutputError, ModelError or UsageError."""
    folder: Path = args.folder
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"expected a folder, found the file {folder}; choose another place")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "settings.js").is_file():
        raise OutputError(f"expected a new or empty folder, or an earlier site, found other files in {folder}")
    if args.offline:
        for file in FILES.values():
            file.fetch()
    files = site_files(args.offline, args.model)
    for name, content in files.items():
        with atomic_write(folder / name) as tmp:
            tmp.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{len(files)} files, {total / 1e6:.1f} MB: {folder}")
    return 0
