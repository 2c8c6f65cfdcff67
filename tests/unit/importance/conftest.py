import nets
import pytest

from isplit.graph import split_points, trace


@pytest.fixture(params=sorted(nets.NETS))
def case(request):
    """(traced, points, images, labels) of one tiny net in float64."""
    return build(request.param)


@pytest.fixture
def chain():
    return build("chain")


def build(name):
    images, labels = nets.images_and_labels(name)
    traced = trace(nets.make(name), images[:2])
    return traced, split_points(traced, "all" if name == "chain" else "layer"), images, labels
