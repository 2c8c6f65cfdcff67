"""Write a W&B sweep file for any model: which split points it has depends on the model.

python sweeps/make.py model=resnet18 data=letters seed=0,1
python sweeps/make.py model=vgg16_small --method bayes --hyperband 3
                      'bottleneck.compression_rate=interval(0.8,0.99)'

The overrides are those of python train.py -m.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from sweep_file import METHODS, Document, runs_of, sweep_file

from isplit.files import write_text
from isplit.keys import composed, conf_folder, one_line, own_choices

FOLDER = Path("sweeps")
LINE = 110  # characters


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    given = parser.parse_intermixed_args(words)
    try:
        with one_line():
            document = _document(given)
    except ValueError as error:
        parser.error(str(error))
    path = given.output or FOLDER / f"{document['name']}.yaml"
    write_text(path, text_of(document, words, path))
    print(f"{path}: {_size(document)}; now: wandb sweep {path}")
    return 0


def text_of(document: Document, words: Sequence[str], path: Path) -> str:
    """The file's text, which begins with the commands that make and use it."""
    head = (
        f"# {_size(document)} for any number of wandb agents; the points are those of the model.\n"
        f"#   python sweeps/make.py {shlex.join(words)}\n"
        f"#   wandb sweep {path.as_posix()}\n"
    )
    return head + yaml.safe_dump(document, sort_keys=False, width=LINE, default_flow_style=None)


def _document(given: argparse.Namespace) -> Document:
    return sweep_file(
        [*given.overrides, *own_choices(given.config_dir)],
        lambda overrides: composed("train", overrides, conf_folder()),
        name=given.output and given.output.stem,
        method=given.method,
        metric=given.metric,
        hyperband=given.hyperband,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python sweeps/make.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("overrides", nargs="*", help="as after python train.py -m")
    parser.add_argument("--config-dir", metavar="FOLDER", help="with files of your own to choose")
    parser.add_argument("--output", type=Path, metavar="PATH", help="default: sweeps/<name>.yaml")
    parser.add_argument("--method", choices=METHODS, default="grid")
    parser.add_argument("--metric", help="what W&B maximises")
    parser.add_argument(
        "--hyperband",
        type=int,
        metavar="EPOCHS",
        help="stop the worst runs after so many epochs of fine-tuning, and 3, 9 ... times as many",
    )
    return parser


def _size(document: Document) -> str:
    runs = runs_of(document)
    return "Runs without end" if runs is None else f"{runs} runs"


if __name__ == "__main__":
    sys.exit(main())
