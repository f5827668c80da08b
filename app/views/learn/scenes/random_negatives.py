"""Random negatives: how many violate the margin."""

from app import theme
from app.view import View
from app.views.learn import lessons
from app.views.learn.pool import pool_of
from app.views.learn.scenes import anchors
from app.views.learn.scenes.lesson import Lesson, Missing
from bon_core.training.losses import ASKS


def make(view: View) -> Lesson | Missing:
    """The scene, of a view."""
    found = anchors.study(view)
    if isinstance(found, Missing):
        return found
    pool, negatives = pool_of(view), anchors.negatives_of_a_batch(view)
    anchor = anchors.chosen(view)
    alive = float(found.anywhere.mean()) * negatives
    none = float((found.anywhere * negatives < 0.5).mean())
    return Lesson(
        story=(
            f"In a batch this anchor meets {theme.count(negatives)} <b>random</b> pictures of other classes. One of"
            " them <b>violates the margin</b> while it is not yet farther away than the positive plus"
            f" {anchors.own_margin(view):g}.",
            "On the wall is such a batch, as this model sees it. Click a picture to make it the anchor.",
        ),
        question=anchors.how_many(
            f"Of {theme.count(negatives)} random negatives, how many violate the margin?", negatives
        ),
        value=alive,
        figure=f"{alive:.1f} of {theme.count(negatives)}",
        caption=(
            f"on average over {theme.count(len(found.anchor))} anchors; for {theme.percent(none, 0)} of them none is"
            " to be expected.",
            f"The run's own loss decides what they cost. {ASKS[view.run.config.training.loss]}",
        ),
        takeaway=lessons.random_moral(float(found.anywhere.mean())),
        demo=lambda revealed: anchors.show(
            view, anchor, lessons.random_batch(pool, anchor, view.run.config.mining, anchors.own_margin(view)), revealed
        ),
        link=(
            "Try other miners on this anchor",
            "negatives",
            lambda: {"show": "Miners side by side", "anchor": int(view.ids[anchor])},
        ),
    )
