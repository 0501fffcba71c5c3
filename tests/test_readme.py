"""Check that the commands, options, links and versions in the README and docs exist, and run the README's commands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from edge.__main__ import COMMANDS
from tests.conftest import ROOT

README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MAX_WORDS = 1350  # what a newcomer skims in three minutes
OPTION = r"(?<![\w-])--[a-z][a-z0-9-]*"
OTHER_PROGRAMS = {"--system-site-packages"}  # options of venv
OFFLINE = ("Failed to establish a new connection", "Temporary failure in name resolution", "Network is unreachable")


def section(text: str, heading: str) -> str:
    """Return the text below a heading, up to the next one."""
    return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def code_lines(text: str) -> list[str]:
    """Return the lines of the indented code blocks."""
    return [line[4:] for line in text.splitlines() if line.startswith("    ")]


def inline_code(text: str) -> list[str]:
    """Return the code between backticks."""
    return re.findall(r"`([^`]+)`", text)


def commands(path: Path) -> Iterator[tuple[str, str]]:
    """Yield module and command for each of this project's commands in a document."""
    text = path.read_text(encoding="utf-8")
    for code in code_lines(text) + inline_code(text):
        match = re.match(
            r"python -m ((?:edge|train|export|benchmarks)[\w.]*)|(edge-emotion|python edge/run.py)( \w+)?", code
        )
        if match:
            subcommand = (match[3] or "").strip()
            yield match[1] or ("edge " + subcommand if subcommand in COMMANDS else "edge"), code


@cache
def help_text(module: str) -> str:
    """Return what `python -m module --help` prints."""
    call = [sys.executable, "-m", *module.split(), "--help"]
    result = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").split()) < MAX_WORDS


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), target
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.M) if anchor else []
        assert not anchor or anchor in [heading.lower().replace(" ", "-") for heading in headings], target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_have_the_options_that_documents_use(path: Path) -> None:
    for module, command in commands(path):
        text = help_text(module)
        if module == "edge":
            text += " --version"
        if module == "edge service":  # passes the options of a run on
            text += help_text("edge")
        missing = set(re.findall(OPTION, command)) - set(re.findall(OPTION, text))
        assert not missing, f"{command}: {missing}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_option_named_alone_belongs_to_some_command(path: Path) -> None:
    modules = {module for document in DOCUMENTS for module, _ in commands(document)}
    options = {option for module in modules for option in re.findall(OPTION, help_text(module))}
    named = {
        option
        for code in inline_code(path.read_text(encoding="utf-8"))
        if code.startswith("--")
        for option in re.findall(OPTION, code)
    }
    assert not named - options - OTHER_PROGRAMS


def test_every_option_of_the_console_command_is_documented() -> None:
    documented = re.findall(OPTION, (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8"))
    assert not set(re.findall(OPTION, help_text("edge"))) - set(documented)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_exist(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    for code in code_lines(text) + inline_code(text):
        match = re.match(r"(?:\w+=\S+ )*make ([\w-]+)", code)
        assert not match or re.search(rf"^{match[1]}:", makefile, re.M), code


def test_python_versions_are_those_of_the_package() -> None:
    package = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    versions = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', package)
    assert f"Python {versions[0]} to {versions[-1]}" in README.read_text(encoding="utf-8")
    assert f'requires-python = ">={versions[0]}"' in package


def test_the_lowest_versions_are_the_bounds_of_the_package() -> None:
    package = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lowest: dict[str, str] = {}
    for name, version in re.findall(r"^([\w-]+)==([\d.]+)", (ROOT / "tests" / "lowest.txt").read_text(), re.M):
        lowest.setdefault(name, version)
    for name, version in lowest.items():
        bounds = re.findall(rf'"{name}>=([\d.]+)', package)
        assert bounds, name
        assert all(version == bound or version == f"{bound}.0" for bound in bounds), (name, version, bounds)


def test_contributing_names_modules_and_tables_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for code in inline_code(text):
        if re.fullmatch(r"(edge|train|export|benchmarks|tests)/[\w/]+(\.py|/)", code):
            assert (ROOT / code).exists(), code
    for table, module in re.findall(r"`([A-Z]+)` \(`([\w/]+\.py)`\)", text):
        assert re.search(rf"^{table}\b", (ROOT / module).read_text(encoding="utf-8"), re.M), (table, module)


def run(lines: Sequence[str], folder: Path) -> str:
    """Run lines of a shell in a folder, stop at the first that fails, and return what they print."""
    path = f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"  # `python3` is the tests' own
    unset = "unset DISPLAY WAYLAND_DISPLAY"
    script = "\n".join(["set -e", path, unset, *lines])
    result = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=900)
    if any(message in result.stderr for message in OFFLINE):
        pytest.skip("needs a package registry, to install as the README says")
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clone the committed state of this checkout."""
    folder = tmp_path_factory.mktemp("fresh") / "clone"
    result = subprocess.run(["git", "clone", "--quiet", ROOT, folder], capture_output=True, text=True)
    if result.returncode != 0:
        pytest.skip(f"needs a git checkout: {result.stderr.strip()}")
    return folder


@pytest.fixture(scope="module")
def installed(clone: Path) -> Path:
    """Install the clone as the README says for a Raspberry Pi: the lean profile, into an environment of its own."""
    *install, _ = code_lines(section(README.read_text(encoding="utf-8"), "Raspberry Pi"))
    run(install, clone)
    return clone


@pytest.mark.slow
def test_the_quick_start_works_in_a_fresh_clone(clone: Path) -> None:
    quick_start = section(README.read_text(encoding="utf-8"), "Quick start")
    lines = [line for line in code_lines(quick_start) if line.startswith(("make demo", "source"))]
    assert len(lines) == 2
    printed = run([*lines, "edge-emotion demo --no-display --max-frames 5"], clone)
    assert "face 1: happy" in printed
    assert (clone / "demo.mp4").stat().st_size > 0
    shown = [line for line in code_lines(quick_start) if not line.startswith(("make", "source"))]
    assert set(shown[:2]) <= set(printed.splitlines()), "the README shows what the demo prints"


@pytest.mark.slow
def test_the_webcam_commands_work_on_files(installed: Path) -> None:
    lines = code_lines(section(README.read_text(encoding="utf-8"), "Webcam"))
    (installed / "photos").mkdir()
    shutil.copyfile(installed / "edge" / "assets" / "astronaut.jpg", installed / "photos" / "astronaut.jpg")
    run(
        [
            "source env/bin/activate",
            "edge-emotion demo --no-display --max-frames 20 --record clip.mp4",
            *(line for line in lines if line.startswith(("edge-emotion clip.mp4", 'edge-emotion "photos'))),
        ],
        installed,
    )
    assert len((installed / "out.jsonl").read_text().splitlines()) == 20
    assert (installed / "out.mp4").stat().st_size > 0
    assert (installed / "annotated" / "astronaut.jpg").stat().st_size > 0


@pytest.mark.slow
def test_the_three_ways_to_call_the_command_are_one(installed: Path) -> None:
    calls = ["edge-emotion --version", "python -m edge --version", "python edge/run.py --version"]
    printed = run(["source env/bin/activate", *calls], installed).splitlines()
    assert len(printed) == 3
    assert len(set(printed)) == 1


@pytest.mark.slow
def test_the_python_example_prints_what_the_readme_says(installed: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    (installed / "example.py").write_text(example)
    reading, happy, *_ = run(["source env/bin/activate", "python example.py"], installed).splitlines()
    shape = r"happy \d+% at \d+,\d+ \d+x\d+"
    assert re.search(rf"# .*{shape}", example)
    assert re.fullmatch(shape, reading)
    assert 0 < float(happy) <= 1
    assert (installed / "annotated.png").stat().st_size > 0
