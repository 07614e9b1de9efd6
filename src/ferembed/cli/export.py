"""``ferembed export``: a recogniser's network for ONNX Runtime, and the whole of it as one small file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferembed.cli.options import Classes, Run, unambiguous

File = Annotated[Path | None, typer.Argument(metavar="FILE", help="The safetensors file to write.", show_default=False)]
Int8 = Annotated[
    str | None,
    typer.Option(
        "--int8", metavar="DATA", help="Also write the network in 8 bits: training faces range it, validation judges."
    ),
]


def command(run: Run, file: File = None, int8: Int8 = None, classes: Classes = None) -> None:
    """Write a recogniser's network for ONNX Runtime into its folder: from then on it answers without PyTorch.

    With FILE, write the recogniser into one file of about a third of its size, which every other command reads as a
    RUN. The two networks go with it.
    """
    from ferembed.cli.console import show
    from ferembed.cli.options import faces_for
    from ferembed.models.exporting import OPSET
    from ferembed.models.files import GRAPH, INT8
    from ferembed.recognizer.shipped import load
    from ferembed.runs.exporting import RANGED, add_graph, add_int8

    recognizer = load(unambiguous(run))
    if file is None and not Path(run).is_dir():
        raise typer.BadParameter(
            f"{run} has no folder to write into: name a FILE, as in `ferembed export {run} my.safetensors`."
        )
    if file is None or recognizer.engine.files.graph is None:
        add_graph(recognizer)
        show(f"{GRAPH}: ONNX, operators of version {OPSET}, any number of faces at once")
    if int8 is not None:
        faces = faces_for(recognizer.engine, int8, classes)
        found = add_int8(recognizer, faces.split("train"), faces.split("validation"))
        show(
            f"{INT8}: ranges of {RANGED} training faces at most; the k-NN before its calibration names "
            f"{found.int8:.2%} of {found.faces:,} validation faces rightly, in floats {found.floats:.2%}"
        )
    if file is None:
        recognizer.save(run)
        show(f"wrote them into {run}")
    else:
        recognizer.export(file)
        show(f"wrote {file}, {file.stat().st_size / 1e6:.1f} MB")
