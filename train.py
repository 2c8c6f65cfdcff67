"""Choose a split point, train the bottleneck there, say what it costs: see conf/train.yaml."""

import hydra
from omegaconf import DictConfig

from isplit import runs


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> None:
    """Run one job."""
    runs.command(runs.train, cfg)


if __name__ == "__main__":
    main()
