import numpy as np

from bon_core.datasets.image_set import ImageSet
from bon_core.datasets.sizes import resize, resized


def test_resize_keeps_flat_areas_and_their_places():
    image = np.zeros((8, 8), np.uint8)
    image[:, 4:] = 200
    small = resize(image[None], 4)[0]
    assert small.shape == (4, 4)
    assert (small[:, 0] < 20).all() and (small[:, 3] > 180).all()


def test_resize_of_colour():
    image = np.full((2, 8, 8, 3), (10, 20, 30), np.uint8)
    assert (resize(image, 16) == (10, 20, 30)).all()
    assert resize(image, 16).shape == (2, 16, 16, 3)


def test_resized_changes_pictures_only():
    before = ImageSet(
        name="s",
        images=np.full((3, 8, 8), 77, np.uint8),
        labels=np.array([0, 1, 1]),
        class_names=("a", "b"),
        split=np.array([0, 1, 1], np.uint8),
        ids=np.array([5, 6, 7]),
    )
    after = resized(before, 5)
    assert after.size == 5 and (after.images == 77).all()
    assert after.ids is before.ids and after.labels is before.labels
    assert resized(before, None) is before and resized(before, 8) is before
