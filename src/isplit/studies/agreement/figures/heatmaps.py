"""What the net looks at, image by image and point by point."""

from matplotlib.figure import Figure

from isplit.report.canvas import shortened
from isplit.studies.seen import Pictures

PICTURE_INCHES = 0.85


def heatmaps_figure(pictures: Pictures) -> Figure:
    """A row for each image: the image itself, then its heat map at each point."""
    images, points = pictures.images, pictures.points
    rows, columns = len(images), len(points) + 1
    size = (PICTURE_INCHES * columns + 1.0, PICTURE_INCHES * rows + 1.2)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        for column, picture in enumerate([images[row], *pictures.overlays[:, row]]):
            axes = panels[row, column]
            axes.imshow(picture, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        name = shortened(pictures.labels[row], 16)
        panels[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    for axes, title in zip(panels[0], ["image", *(p.label for p in points)], strict=True):
        axes.set_title(title, rotation=90, fontsize=8)
    return figure
