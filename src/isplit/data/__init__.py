"""Image data sets in three splits: letters, notMNIST, Tiny-ImageNet, chest X-rays, any folder."""

from isplit.data.build import DATA_SETS, build_data
from isplit.data.module import ImageData

__all__ = ["DATA_SETS", "ImageData", "build_data"]
