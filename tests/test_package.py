"""The house rules that a machine can check."""

import subprocess
import sys
from pathlib import Path

import pytest

import ferembed

SRC, ROOT = Path(ferembed.__file__).parent, Path(__file__).parents[1]
MODULES = sorted(file for file in SRC.rglob("*.py") if file.parent != SRC or file.stem != "__init__")


def test_packages_import_in_one_order_without_circles():
    """The contracts stand in pyproject.toml; ``make check`` looks at them, too."""
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_heavy():
    loaded = "{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names - before"
    begin = "import sys; before = {name.partition('.')[0] for name in sys.modules};"
    assert python(f"{begin} import ferembed; dir(ferembed); print(*sorted({loaded}))").split() == [
        "ferembed",
        "lazy_loader",
    ]
    assert "torch" not in python(f"{begin} import ferembed.index, ferembed.estimators; print({loaded})")


def test_to_load_what_ships_takes_little_and_to_ask_it_no_pytorch():
    loaded = python("import sys, ferembed; ferembed.load().info; print(*sys.modules)").split()
    assert not {"torch", "timm", "torchvision", "sklearn", "scipy", "lightning", "faiss", "onnxruntime"} & set(loaded)
    portrait = str(SRC / "cli" / "portrait.jpg")
    command = f"from ferembed.cli import app; app(['predict', {portrait!r}], standalone_mode=False)"
    said = python(f"import sys; {command}; print(*sys.modules)")
    assert "happy" in said
    loaded = said.split()
    assert "onnxruntime" in loaded
    assert not {"torch", "timm", "torchvision", "lightning", "matplotlib", "gradio", "av"} & set(loaded)


def test_every_public_name_resolves():
    for name in ferembed.__all__:
        assert getattr(ferembed, name) is not None
    with pytest.raises(AttributeError, match="No ferembed attribute nonsense"):
        _ = ferembed.nonsense


def test_modules_stay_readable():
    long = {str(f.relative_to(SRC)): n for f in MODULES if (n := len(f.read_text().splitlines())) > 300}
    assert not long
