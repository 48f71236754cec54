"""Wheels: through pip or uv, checked, kept; the installers here are made up."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pellucid.errors import InputError
from pellucid.text.web import speed
from pellucid.text.web import wheels as wheels_module
from pellucid.text.web.cache import cache_dir
from pellucid.text.web.wheels import fetch_wheel


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to be in, and an empty cache."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def installer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes `pip` a Python program that gets the arguments of pip."""

    def install(program: str) -> None:
        beginning = "import sys, pathlib\nfolder = pathlib.Path(sys.argv[-1])\n"
        beginning += "if sys.argv[1] == 'config':\n    sys.exit(1)\n"  # it knows no index on the web
        Path("pip.py").write_text(f"{beginning}{program}\n")
        command = [sys.executable, str(Path("pip.py").resolve())]
        monkeypatch.setattr(wheels_module, "_installers", lambda: iter([command]))

    return install


GOOD = "(folder / 'x-1-py3-none-any.whl').write_bytes(b'wheel')"


def test_a_wheel_is_kept(installer: Callable[[str], None]):
    sha256 = hashlib.sha256(b"wheel").hexdigest()
    installer(GOOD)
    path = fetch_wheel("x", "1", sha256)
    assert path.read_bytes() == b"wheel"
    installer("sys.exit(9)")
    assert fetch_wheel("x", "1", sha256) == path  # not asked again
    path.write_bytes(b"spoilt")
    with pytest.raises(InputError, match="pip ended with 9"):
        fetch_wheel("x", "1", sha256)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (GOOD, "SHA-256 differs"),
        (
            "print('ERROR: No matching distribution\\nwarn', file=sys.stderr); sys.exit(1)",
            "No matching distribution",
        ),
        ("print('No module named pip', file=sys.stderr); sys.exit(1)", "No module named pip"),
        ("import time; time.sleep(300)", "no answer within 1 s"),
        ("pass", "it gave no wheel"),
    ],
)
def test_wheels_that_cannot_be_had(
    installer: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, program: str, reason: str
):
    if reason == "no answer within 1 s":
        monkeypatch.setattr(wheels_module, "INSTALLER_TIMEOUT", 1.0)
    installer(program)
    with pytest.raises(InputError, match=reason):
        fetch_wheel("x", "1", "0" * 64)
    assert not [path for path in cache_dir().rglob("*") if path.is_file()]


def test_what_pip_gets_is_told(installer: Callable[[str], None], monkeypatch: pytest.MonkeyPatch):
    """And it has as long as it needs, if only it gets further."""
    now, size = 100.0, wheels_module._size

    def seen(folder: Path) -> int:
        """Time passes when the next million is there, and then the installer goes on."""
        nonlocal now
        n_bytes = size(folder)
        mark = Path(f"seen-{n_bytes}")
        if n_bytes and n_bytes % 1_000_000 == 0 and not mark.exists():
            now += 200
            mark.touch()
        return n_bytes

    clock = SimpleNamespace(monotonic=lambda: now)
    for module in (wheels_module, speed):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(wheels_module, "_size", seen)
    monkeypatch.setattr(wheels_module, "POLL", 0.02)
    slow = "import os, time\nfor n in range(1_000_000, 9_000_000, 1_000_000):\n"
    slow += "    (pathlib.Path(os.environ['TMPDIR']) / 'x.part').write_bytes(b'.' * n)\n"
    slow += "    while not pathlib.Path(f'seen-{n}').exists():\n        time.sleep(0.01)\n"
    installer(slow + GOOD)
    said: list[str] = []
    assert fetch_wheel("x", "1", hashlib.sha256(b"wheel").hexdigest(), progress=said.append).is_file()
    assert now - 100 > 5 * wheels_module.INSTALLER_TIMEOUT
    assert said[0] == "fetching x 1 from the package index"
    assert any("fetching x: " in line and "MB" in line for line in said[1:])


def test_neither_pip_nor_uv(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wheels_module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(wheels_module.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="neither pip nor uv"):
        fetch_wheel("x", "1", "0" * 64)


def test_uv_is_asked_where_there_is_no_pip(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wheels_module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(wheels_module.shutil, "which", lambda name: "/bin/uv")
    assert list(wheels_module._installers()) == [["/bin/uv", "tool", "run", "pip"]]
