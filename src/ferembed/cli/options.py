"""Arguments that several commands share, and which of them is a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from ferembed.data import FaceDataset
    from ferembed.data.readers.naming import ClassNames

DEFAULT: Final = "small"
"""The recogniser that ships and is asked where no run is named, as :func:`ferembed.recognizer.shipped.load` has it."""

DATA: Final = typer.Argument(
    metavar="DATA",
    help="fer2013.csv, a manifest (CSV or Parquet), a folder of SPLIT/LABEL/images, or `drawn` for drawn faces.",
    show_default=False,
)
RUN_HELP: Final = (
    "Folder that `ferembed train` wrote, exported file, or the name of a shipped recogniser, such as small."
)
Data = Annotated[str, DATA]
DataAfterRun = Annotated[str | None, DATA]
Run = Annotated[str, typer.Argument(metavar="RUN", help=RUN_HELP, show_default=False)]
RunOrNone = Annotated[
    str | None, typer.Argument(metavar="RUN", help=f"{RUN_HELP} Without one, {DEFAULT}.", show_default=False)
]
Classes = Annotated[
    str | None,
    typer.Option(
        "--classes",
        metavar="NAMES",
        help="What a folder's or manifest's labels mean: rafdb, affectnet, pairs (1=surprise,2=fear) or a list "
        "(happy,sad) in the order wanted.",
    ),
]
Split = Annotated[str, typer.Option("--split", help="train, validation or test.")]
Looks = Annotated[
    Literal["single", "flip", "ten_crop"], typer.Option("--views", help="Looks at each face that are averaged.")
]
Copies = Annotated[
    bool | None,
    typer.Option(
        "--copies/--no-copies",
        help="Search all splits for near copies and odd pictures: a minute or two for FER2013. Without either, where "
        "there are 15,000 faces or fewer, in less than a minute.",
        show_default=False,
    ),
]

_MARKS: Final = (
    ("recognizer",),
    (".recognizer.old",),
    ("recipe.yaml", "data.json"),
    ("recipe.yaml", "checkpoints"),
    ("config.json", "encoder.safetensors"),
)
"""Names that stand together in a finished run, one cut off while saving, two in training, and a saved recogniser."""


class RunFirst(TyperCommand):
    """A command whose first argument is a run that may be left out, which its usage line shows."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The usage line: all that follows the run has to be given, though the parser does not know it."""
        after = [str(argument.metavar) for argument in self.params if argument.param_type_name == "argument"][1:]
        return [self.options_metavar or "", "[RUN]", *after]


def run_and_rest(command: str, first: str | None, rest: list[str]) -> tuple[str, list[str]]:
    """Tell apart what follows a command: the run, or else the name of the recogniser that ships, and the rest.

    Parameters
    ----------
    command : str
        ``"predict"``, of which any number of image files follow the run; after every other, one data set does.
    first : str, optional
        The first argument, whether it is a run or not.
    rest : list of str
        The others.

    Raises
    ------
    typer.BadParameter
        If nothing follows the run, or the first argument may mean two things; the sentence says how to write it.
    """
    from ferembed.cli.photos import looks_like_one
    from ferembed.data.readers.drawn import DRAWN

    several = command == "predict"
    what, example = ("photos", "photo.jpg") if several else ("data", "data.csv")
    if first is None:
        raise typer.BadParameter(f"name the {what}, as in `ferembed {command} {example}`.")
    if not several and not rest and first == DRAWN:
        return DEFAULT, [first]
    run = is_run(unambiguous(first))
    if run and not rest:
        raise typer.BadParameter(
            f"{first} is a run: name the {what} after it, as in `ferembed {command} {first} {example}`."
        )
    # What can be nothing but a run is taken for one: whoever loads it says what is wrong with it.
    if run or (rest and not (several and looks_like_one(first))):
        return first, rest
    return DEFAULT, [first, *rest]


def class_names(text: str | None) -> ClassNames:
    """What ``--classes`` means, as the readers take it.

    Raises
    ------
    typer.BadParameter
        If it is neither a known set of folders, nor pairs, nor a list.
    """
    from ferembed.data.readers.folder import AFFECTNET_FOLDERS, RAFDB_FOLDERS

    if text is None:
        return None
    known = {"rafdb": RAFDB_FOLDERS, "affectnet": AFFECTNET_FOLDERS}
    if text.lower() in known:
        return known[text.lower()]
    parts = [part.strip() for part in text.split(",")]
    pairs = [part.partition("=") for part in parts]
    given = sum(bool(sign) for _, sign, _ in pairs)
    if not all(parts) or given not in (0, len(parts)) or not all(key and name for key, sign, name in pairs if sign):
        raise typer.BadParameter("--classes takes rafdb, affectnet, pairs such as 1=surprise,2=fear or names alone.")
    return {key: name for key, _, name in pairs} if given else parts


def faces_for(encoder: Any, data: str, classes: str | None = None) -> FaceDataset:
    """The faces of DATA at the size and in the colours that an encoder, or the recipe of one, looks at."""
    from ferembed.data import load_dataset

    return load_dataset(data, image_size=encoder.image_size, colour=encoder.channels == 3, classes=class_names(classes))


def is_run(name: str) -> bool:
    """Whether a recogniser is to be found under a name or path: shipped, saved, exported, or in training."""
    from ferembed.recognizer.shipped import shipped_names

    path = Path(name)
    if name in shipped_names():
        return True
    if path.is_file():
        return path.suffix == ".safetensors" or _looks_exported(path)
    return any(all((path / mark).exists() for mark in marks) for marks in _MARKS)


def unambiguous(name: str) -> str:
    """The name of a run, unless a shipped recogniser and something in the working folder both have it."""
    from ferembed.recognizer.shipped import shipped_names

    if name in shipped_names() and Path(name).exists():
        kind = "folder" if Path(name).is_dir() else "file"
        raise typer.BadParameter(
            f"{name} is a recogniser that ships and a {kind} here: write ./{name} for the {kind}, or ask from another "
            f"folder for the recogniser."
        )
    return name


def _looks_exported(file: Path) -> bool:
    """Whether a file of any name begins as safetensors does: with the length of a header, and the header's brace."""
    with file.open("rb") as opened:
        head = opened.read(9)
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") < file.stat().st_size
