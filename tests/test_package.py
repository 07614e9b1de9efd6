"""The house rules that a machine can check."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ferembed

SRC = Path(ferembed.__file__).parent
ORDER = [
    {"labels", "storage", "ties"},
    {"data"},
    {"models", "losses"},
    {"training"},
    {"index"},
    {"estimators"},
    {"evaluation"},
    {"auditing"},
    {"explain"},
    {"adapters", "recognizer"},
    {"shipped"},
    {"lineage"},
    {"pipeline"},
    {"answers"},
    {"assessment"},
    {"cross_fitting"},
    {"cards"},
    {"report"},
    {"cli", "app"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}


def imports(file):
    """Dotted names a module imports, wherever in it, relative ones resolved; names for type checkers only left out."""
    package = ["ferembed", *file.relative_to(SRC).parts[:-1]]
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield ".".join([*base, *([node.module] if node.module else [])])


def home(file):
    return file.relative_to(SRC).parts[0].removesuffix(".py")


MODULES = sorted(file for file in SRC.rglob("*.py") if file.parent != SRC or file.stem != "__init__")


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(SRC)))
def test_imports_point_left(file):
    for name in imports(file):
        parts = name.split(".")
        if parts[0] != "ferembed" or len(parts) == 1 or parts[1] == home(file):
            continue
        assert RANK[parts[1]] <= RANK[home(file)], f"{file.relative_to(SRC)} imports {name}"
        assert RANK[parts[1]] != RANK[home(file)] or home(file) in {"recognizer", "pipeline"}, f"{file} imports {name}"


@pytest.mark.parametrize("package", ["index", "estimators", "evaluation"])
def test_arrays_in_arrays_out(package):
    for file in (SRC / package).rglob("*.py"):
        assert not any(name.split(".")[0] in {"torch", "lightning", "timm"} for name in imports(file)), file


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_heavy():
    loaded = "{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names - before"
    begin = "import sys; before = {name.partition('.')[0] for name in sys.modules};"
    assert python(f"{begin} import ferembed; dir(ferembed); print({loaded})").strip() == "{'ferembed'}"
    assert "torch" not in python(f"{begin} import ferembed.index, ferembed.estimators; print({loaded})")


def test_to_load_what_ships_takes_little_more_than_pytorch():
    """Both kinds of library that the first answer needs take longer to import than PyTorch itself."""
    loaded = python("import sys, ferembed; ferembed.load().info; print(*sys.modules)").split()
    assert "torch" in loaded
    assert not {"timm", "torchvision", "sklearn", "scipy", "lightning", "faiss"} & set(loaded)


def test_every_public_name_resolves():
    for name in ferembed.__all__:
        assert getattr(ferembed, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = ferembed.nonsense


def test_modules_stay_readable():
    long = {str(f.relative_to(SRC)): n for f in MODULES if (n := len(f.read_text().splitlines())) > 300}
    assert not long
