"""Say what the runs of train.py mean together: see conf/analyze.yaml."""

import hydra
from omegaconf import DictConfig

from isplit import runs


@hydra.main(version_base="1.3", config_path="conf", config_name="analyze")
def main(cfg: DictConfig) -> None:
    """Run one analysis."""
    runs.command(runs.analyze, cfg)


if __name__ == "__main__":
    main()
