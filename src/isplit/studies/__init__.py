"""Studies: each a function from the runs that were found to findings."""

from importlib.resources import files
from typing import Any

import yaml


def words_of(study: str) -> dict[str, Any]:
    """What stands beside a study's numbers and figures: the content of its ``words.yaml``."""
    words: dict[str, Any] = yaml.safe_load(
        files(f"isplit.studies.{study}").joinpath("words.yaml").read_text("utf-8")
    )
    return words
