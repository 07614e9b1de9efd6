"""``ferembed predict``: the faces of photos, videos and cameras, and their expressions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ferembed.cli.options import RunOrNone, run_and_rest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ferembed.cli.findings import Findings
    from ferembed.cli.photos import Named
    from ferembed.recognizer import Face, Recognizer

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
    typer.Option("--max-error", help="Say unknown rather than name more than this share wrongly, such as 0.2."),
]
Near = Annotated[int, typer.Option("--neighbors", min=0, help="Nearest training faces to show.")]
Every = Annotated[int, typer.Option("--every", min=1, help="Look for faces in each so many frames of a video.")]
Engine = Annotated[
    Literal["auto", "onnx", "int8", "torch"],
    typer.Option("--engine", help="What computes: ONNX Runtime in floats or 8 bits, or PyTorch."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV: a row a face, of a video a row a face a frame.")]
Annotate = Annotated[
    Path | None,
    typer.Option("--annotate", metavar="DIR", help="Folder for copies with boxes, labels and bars, and for timelines."),
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
    from ferembed.cli.photos import named
    from ferembed.faces import FaceCropper, HogDetector, whole_photo
    from ferembed.progress import progress
    from ferembed.recognizer.shipped import load

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other.")
    run, arguments = run_and_rest("predict", first, others or [])
    faces = whole_photo if crop else FaceCropper(HogDetector(upsample, smallest), align=align, light=light)
    recognizer, asked = load(run, engine=engine), named(arguments)
    findings = _findings(recognizer, len(asked), as_json, as_csv)

    def ask(one: Named) -> None:
        if one.problem:
            raise ValueError(one.problem)
        target = None if annotate is None else _place(annotate, one, taken)
        if one.moves:
            _ask_video(recognizer, one, findings, target, faces=faces, every=every)
        else:
            _ask_photo(recognizer, one.name, findings, target, faces=faces, max_error=max_error, neighbors=neighbors)

    taken: set[Path] = set()
    with progress("Looking at photos", len(asked)) as report:
        answered = [(_answered(ask, one, findings), report(done))[0] for done, one in enumerate(asked, 1)]
    findings.end()
    if not all(answered):
        raise typer.Exit(1)


def _answered(ask: Callable[[Named], None], one: Named, findings: Findings) -> bool:
    """Whether there was an answer; why not is said, and the others are still asked."""
    from ferembed.cli.console import complain

    try:
        ask(one)
    except (ValueError, OSError) as error:
        complain(error)
        findings.problem(one.name, str(error))
        return False
    return True


def _findings(recognizer: Recognizer, asked: int, as_json: bool, as_csv: bool) -> Findings:
    from ferembed.cli.findings import Csv, Json, Tables

    classes = recognizer.classes_.tolist()
    if as_json:
        return Json(classes)
    return Csv(classes) if as_csv else Tables(classes, asked)


def _ask_photo(recognizer: Recognizer, name: str, findings: Findings, target: Path | None, **options: Any) -> None:
    from ferembed.cli.photos import STDIN
    from ferembed.faces import read_photo

    pixels = read_photo(sys.stdin.buffer if name == STDIN else name)
    faces = recognizer.recognize(pixels, **options)
    findings.photo(name, faces)
    if target is not None:
        _write_annotated(pixels, faces, recognizer.classes_.tolist(), target.with_suffix(".jpg"))


def _write_annotated(pixels: NDArray[Any], faces: list[Face], classes: list[str], target: Path) -> None:
    from ferembed.faces.drawing import draw_faces
    from ferembed.storage import atomic_path

    with atomic_path(target) as draft:
        draw_faces(pixels, faces, classes).save(draft, "JPEG", quality=92)


def _ask_video(recognizer: Recognizer, one: Named, findings: Findings, target: Path | None, **options: Any) -> None:
    from ferembed.video import write_video_results

    files: dict[str, Any] = {}
    if target is not None:
        files = {"annotate": target.with_suffix(".mp4"), "csv": target.with_suffix(".csv")}
        files["plot"] = target.with_suffix(".png")
    source = one.name if one.camera is None else one.camera
    timeline = write_video_results(
        recognizer, source, watch=lambda frame: findings.frame(one.name, frame), **files, **options
    )
    findings.video(one.name, timeline)


def _place(folder: Path, one: Named, taken: set[Path]) -> Path:
    """Where something of this name is to be written, without a suffix; each has a name of its own."""
    stem = "stdin" if one.name == "-" else Path(one.name).stem
    place, count = folder / stem, 1
    while place in taken:
        count += 1
        place = folder / f"{stem}-{count}"
    taken.add(place)
    return place
