"""The options that several subcommands share: how a data folder is read, and where its pixels are cached."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from edge_runtime.command_line.numbers import non_negative_int, open_fraction, positive_int
from edge_runtime.model.spec import ResizeMode
from trainer.options import OLD_AUGMENTATIONS, Augmentation

if TYPE_CHECKING:
    import argparse


@dataclass(frozen=True)
class CacheOptions:
    """Where preprocessed pixels are kept for the next run: `cache`, or the default folder, or nowhere."""

    cache: Path | None
    no_cache: bool


def add_cache_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of CacheOptions."""
    parser.add_argument("--cache", type=Path, metavar="DIR", help="folder of preprocessed pixels for the next run")
    parser.add_argument("--no-cache", action="store_true", help="do not cache pixels")


def cache_folder(options: CacheOptions) -> Path | None:
    """Return the folder for preprocessed pixels, or None for no cache."""
    from trainer.images.cache import default_cache

    return None if options.no_cache else options.cache or default_cache()


def add_data_options(group: argparse._ActionsContainer, *, image_size_help: str) -> None:
    """Add the options of trainer.options.DataOptions."""
    group.add_argument("--image-size", type=positive_int, metavar="PIXELS", help=image_size_help)
    group.add_argument("--resize", choices=get_args(ResizeMode), default="stretch", help="default: %(default)s")
    group.add_argument(
        "--background",
        type=absolute_path,
        default="",
        metavar="DIR",
        help="images that show none of the classes; they become one more class",
    )
    group.add_argument(
        "--corrections",
        type=absolute_path,
        default="",
        metavar="CSV",
        help="columns path and label: change the label of these photographs, or leave them out (empty label), such as "
        "an edited label_mistakes.csv of an earlier RUN",
    )
    group.add_argument(
        "--validation-fraction", type=open_fraction, default=0.1, metavar="F", help="default: %(default)s"
    )
    group.add_argument("--test-fraction", type=open_fraction, default=0.2, metavar="F", help="default: %(default)s")
    group.add_argument(
        "--augment",
        type=lambda name: OLD_AUGMENTATIONS.get(name, name),
        choices=get_args(Augmentation),
        default="standard",
        help="standard: rotate, shift, shear, zoom and flip; photo: zoom more, rotate less, and change brightness and "
        "colour; gentle: small changes, for subjects that are upright and centred, such as signs; none",
    )
    group.add_argument(
        "--no-augment", dest="augment", action="store_const", const="none", help="same as --augment none"
    )
    group.add_argument("--seed", type=non_negative_int, default=0, help="default: %(default)s")


def absolute_path(text: str) -> str:
    """Return an absolute path, so that a run can be resumed from another folder; an empty text stays empty."""
    return str(Path(text).absolute()) if text else ""
