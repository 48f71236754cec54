"""What is built for others: wheel and sdist hold the same package, and the wheel works where the source is not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "pellucid"
LEFT_OUT = (".git", ".venv", ".tsc", "runs", "dist", "*_cache", ".hypothesis", "__pycache__")


def python(*arguments: object, folder: Path, executable: object = sys.executable, **more: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(executable), *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, env={**kept, **more}, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(kind: str, source: Path, into: Path) -> Path:
    python("-m", "build", "--no-isolation", kind, "--outdir", into, source, folder=into)
    (made,) = into.iterdir()
    return made


def package_in(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {n: archive.read(n) for n in archive.namelist() if not n.endswith("RECORD")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from an unpacked sdist, as an index would have it built."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folders = [tmp_path_factory.mktemp(name) for name in ("tree", "sdist", "unpacked", "wheel")]
    tree = Path(shutil.copytree(ROOT, folders[0] / "pellucid", ignore=shutil.ignore_patterns(*LEFT_OUT)))
    with tarfile.open(build("--sdist", tree, folders[1])) as archive:
        archive.extractall(folders[2], filter="data")
    (unpacked,) = folders[2].iterdir()
    return build("--wheel", unpacked, folders[3])


@pytest.mark.slow
def test_the_wheel_of_the_sdist_is_the_package_and_its_data(wheel: Path):
    held = package_in(wheel)
    files = [path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(files) > 300
    for path in files:
        assert held.pop(f"pellucid/{path.relative_to(SOURCE).as_posix()}") == path.read_bytes(), path
    left = sorted(name.split("/", 1)[1] for name in held)
    assert left == ["METADATA", "WHEEL", "entry_points.txt", "licenses/LICENSE"]


@pytest.mark.slow
def test_the_wheel_works_in_an_environment_of_its_own(wheel: Path, tmp_path: Path, text_file: Path):
    """Its dependencies are those of this environment: installing them anew is not what is tested."""
    python("-m", "venv", tmp_path / "env", folder=tmp_path)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    own = Path(python("-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=tmp_path,
                      executable=scripts / "python").strip())  # fmt: skip
    for name in ("purelib", "platlib"):
        (own / f"{name}.pth").write_text(sysconfig.get_path(name), encoding="utf-8")
    pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", wheel)
    python(*pip, folder=tmp_path, executable=scripts / "python")
    where = python(
        "-c", "import pellucid; print(pellucid.__file__)", folder=tmp_path, executable=scripts / "python"
    )
    assert Path(where.strip()).is_relative_to(own)

    told = "from pellucid.shell import install_extra; print(install_extra('tracking'), install_extra('pdf'))"
    how = python("-c", told, folder=tmp_path, executable=scripts / "python").strip()
    assert how == 'pip install "tensorboard>=2.18" pip install "pypdf>=6"', (
        "there is no folder to install from"
    )

    def pellucid(*arguments: object) -> str:
        shared = {"OMP_NUM_THREADS": "1", "PELLUCID_NO_CACHE": "1"}
        return python(*arguments, folder=tmp_path, executable=scripts / "pellucid", **shared)

    assert "pellucid train" in pellucid("--help")
    small = ("--steps", 6, "--n-layers", 1, "--d-model", 16, "--context-length", 16, "--precision", "float32")
    told = json.loads(pellucid("train", text_file, *small, "--device", "cpu", "--json").splitlines()[-1])
    assert told["steps"] == 6
    assert pellucid("sample", told["run"], "--max-tokens", 5, "--seed", 1)


TYPED = """
import pellucid


class Printed:
    def log(self, values: dict[str, float], step: int) -> None:
        print(step, values)

    def close(self) -> None: ...


outcome: pellucid.Outcome = pellucid.train("book.txt", steps=5, sinks=[Printed(), "tensorboard"])
run: pellucid.Run = pellucid.load(outcome.run)
words: str = run.generate("It", max_tokens=5) + "".join(run.stream("It"))
loss: float = run.score(words).bits_per_byte
run.plot_loss().savefig("loss.png")
run.show_attention(words, layer=0, head=0)
size: int = pellucid.read(["book.txt"]).n_bytes
"""


@pytest.mark.slow
def test_a_typed_program_is_checked_against_the_package(tmp_path: Path):
    pytest.importorskip("basedpyright")
    (tmp_path / "pyrightconfig.json").write_text(
        json.dumps({"extraPaths": [str(SOURCE.parent)], "typeCheckingMode": "standard"}), encoding="utf-8"
    )
    program = tmp_path / "program.py"

    def errors(text: str) -> list[str]:
        program.write_text(text, encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "basedpyright",
            "--outputjson",
            "--pythonpath",
            sys.executable,
            program.name,
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")
        return [each["rule"] for each in json.loads(done.stdout)["generalDiagnostics"]]

    assert errors(TYPED) == []
    assert errors("import pellucid\npellucid.trian('book.txt')\n")[0] == "reportAttributeAccessIssue"
    assert errors("import pellucid\npellucid.load(5)\n") == ["reportArgumentType"]


def test_metadata_is_whole():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["readme"] == "README.md" and (ROOT / "LICENSE").is_file()
    assert (SOURCE / "py.typed").is_file() and "Typing :: Typed" in project["classifiers"]
    for system in ("POSIX :: Linux", "MacOS", "Microsoft :: Windows"):
        assert f"Operating System :: {system}" in project["classifiers"]
    version = re.search(r'__version__ = "(.*)"', (SOURCE / "__init__.py").read_text(encoding="utf-8"))
    assert version and project["dynamic"] == ["version"]


def test_continuous_integration_runs_what_the_classifiers_promise():
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = {c.rsplit(" ", 1)[1] for c in project["classifiers"] if re.search(r"Python :: 3\.\d+$", c)}
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    assert set(matrix["python"]) == promised == {"3.11", "3.12", "3.13"}
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    commands = "\n".join(step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"])
    for part in ("pytest", "ruff check", "ruff format --check", "basedpyright", "lint-imports", "-m build"):
        assert part in commands
    for extra in re.findall(r"\.\[([a-z,]+)\]", commands):
        assert set(extra.split(",")) <= set(project["optional-dependencies"])
