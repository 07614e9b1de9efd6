"""``ferembed predict``: the faces of photos, videos and cameras, and their expressions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ferembed.cli.options import RunOrNone, run_and_rest

Photos = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PHOTO...",
        help="Photos, videos, folders of them, patterns such as '*.jpg', - for standard input, or a camera's number.",
        show_default=False,
    ),
]
Crop = Annotated[bool, typer.Option("--crop", help="Each photo is one cropped face: look for none.")]
Upsample = Annotated[
    int, typer.Option("--upsample", min=0, max=2, help="Double photos so often, to find faces under 80 pixels.")
]
Smallest = Annotated[
    float | None, typer.Option("--smallest", help="Side of the smallest face in pixels; large photos are shrunk to it.")
]
Align = Annotated[bool, typer.Option("--align", help="Turn each face until its eyes are level.")]
Light = Annotated[
    Literal["equalise", "standardise"] | None, typer.Option("--light", help="Even the light of each face.")
]
MaxError = Annotated[
    float | None,
    typer.Option(
        "--max-error", help="Of photos: say unknown rather than name more than this share wrongly, such as 0.2."
    ),
]
Near = Annotated[
    int, typer.Option("--neighbors", min=0, help="Nearest training faces to show of each face of a photo.")
]
Every = Annotated[int, typer.Option("--every", min=1, help="Look for faces in each so many frames of a video.")]
Engine = Annotated[
    Literal["auto", "onnx", "int8", "torch"],
    typer.Option("--engine", help="What computes: ONNX Runtime in floats or 8 bits, or PyTorch."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV: a row a face, of a video a row a face a frame.")]
Annotate = Annotated[
    Path | None,
    typer.Option(
        "--annotate",
        metavar="DIR",
        file_okay=False,
        help="Folder for copies with boxes, labels and bars, and for timelines.",
    ),
]


def command(
    first: RunOrNone = None,
    others: Photos = None,
    crop: Crop = False,
    upsample: Upsample = 0,
    smallest: Smallest = None,
    align: Align = False,
    light: Light = None,
    max_error: MaxError = None,
    neighbors: Near = 5,
    every: Every = 1,
    engine: Engine = "auto",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    annotate: Annotate = None,
) -> None:
    """Find the faces of photos, videos and cameras, and name the expression of each."""
    from ferembed.cli.asking import Asking, Copies
    from ferembed.cli.findings import Csv, Json, Tables
    from ferembed.cli.photos import named
    from ferembed.faces import FaceCropper, HogDetector, whole_photo
    from ferembed.recognizer.shipped import load

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other.")
    if max_error is not None and not 0 < max_error < 1:
        raise typer.BadParameter(f"--max-error is a share between 0 and 1, such as 0.2, not {max_error:g}.")
    run, arguments = run_and_rest("predict", first, others or [])
    faces = whole_photo if crop else FaceCropper(HogDetector(upsample, smallest), align=align, light=light)
    recognizer, asked = load(run, engine=engine), named(arguments)
    classes = recognizer.classes_.tolist()
    copies = None if annotate is None else Copies(annotate, asked)
    findings = Json(classes) if as_json else Csv(classes) if as_csv else Tables(classes, len(asked))
    asking = Asking(recognizer, findings, faces, max_error=max_error, neighbors=neighbors, every=every, copies=copies)
    if not asking.all(asked):
        raise typer.Exit(1)
