"""What every stage of a job works with: data, store, machine, and how many images at once."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from isplit.data import ImageData
from isplit.data.images import augment
from isplit.evaluate import evaluate
from isplit.stages.fit import Batches, Engine
from isplit.stages.recipe import Recipe
from isplit.stages.source import source_hash
from isplit.stages.store import Store

EVALUATION_BATCH = 250  # images of up to USUAL_SIZE pixels a side
USUAL_SIZE = 64


@dataclass(frozen=True)
class Workbench:
    """What every stage of a job works with.

    Attributes:
        seed: of everything random in the job.
        feature_memory_bytes: features of the frozen head are kept in memory up to this size, on
            disk beyond it.
        evaluation_batch: images at once where nothing is trained, or ``auto``.
    """

    data: ImageData
    store: Store
    engine: Engine
    seed: int
    feature_memory_bytes: int = 2 * 2**30
    evaluation_batch: int | str = "auto"

    def at_once(self, asked: int | str, usual: int) -> int:
        """Images at once: as asked; ``auto``: ``usual`` of small images, fewer of larger ones."""
        fitting = usual * USUAL_SIZE**2 // self.data.image_size**2
        return max(1, min(usual, fitting)) if asked == "auto" else int(asked)

    def training_images(self, recipe: Recipe) -> Batches:
        """This process's part of batches that depend on seed and epoch alone."""
        team = self.engine.team
        return self.data.loader(
            "train",
            recipe.batch_size,
            shuffle=True,
            augment=self.data.augmented,
            images=recipe.images,
            seed=self.seed,
            part=(team.rank, team.size),
        )

    def images(self, split: str, images: int | None = None) -> Batches:
        """A split in its order, as it is; or a balanced choice of so many images."""
        at_once = self.at_once(self.evaluation_batch, EVALUATION_BATCH)
        return self.data.loader(split, at_once, images=images, seed=self.seed)

    def test(self, net: nn.Module, split: str = "test") -> dict[str, Any]:
        """Evaluation on a split, as JSON values."""
        classes, device = self.data.num_classes, self.engine.device
        return asdict(evaluate(net, self.images(split), classes, device))

    def recipe(
        self, stage: str, recipe: Recipe | None, code: Sequence[Callable[..., Any]], **inputs: Any
    ) -> dict[str, Any]:
        """Everything that can change the result of a stage.

        Args:
            recipe: ``None``: it trains nothing.
            code: what it computes with, besides evaluation and augmentation.
        """
        common = (evaluate, augment) if self.data.augmented else (evaluate,)
        return {
            "stage": stage,
            "code": source_hash([*code, *common]),
            "training": recipe and asdict(recipe),
            "data": self.data.fingerprint,
            "augmented": self.data.augmented,
            "seed": self.seed,
            "precision": self.engine.precision,
            "device": self.engine.device.type,
            **inputs,
        }
