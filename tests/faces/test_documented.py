"""What docs/faces.md says runs as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import ferembed.cli

ROOT = Path(__file__).parents[2]


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs" / "faces.md").read_text(encoding="utf-8")
    examples = re.findall(r"(<!-- not run -->\n\n)?```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "party.jpg").write_bytes((Path(ferembed.cli.__file__).parent / "portrait.jpg").read_bytes())
    names = {}
    for not_run, code in examples:
        compiled = compile(code, "docs/faces.md", "exec")
        if not not_run:
            exec(compiled, names)
    assert len(capsys.readouterr().out.splitlines()) == 1  # the portrait shows one face
    assert names["cropper"](names["photo"])[0].box == (128, 128, 384, 384)


def test_from_a_photo_to_its_face_without_a_network():
    """A process that only finds faces loads none of the heavy libraries."""
    code = (
        "import sys, pathlib, ferembed.cli, ferembed.faces as faces;"
        "photo = faces.read_photo(pathlib.Path(ferembed.cli.__file__).parent / 'portrait.jpg');"
        "found = faces.FaceCropper(align=True, light='equalise')(photo);"
        "print(len(found), *({'torch', 'timm', 'scipy', 'sklearn', 'matplotlib', 'faiss'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["1"]
