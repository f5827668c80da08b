"""How far a guided tour has come: one step a scene; each can be gone to."""

from collections.abc import Sequence

from app.widgets.primitives.board import board, text

CSS = """
.rail {display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: .5rem; list-style: none; margin: 0;
  padding: 0}
.board .rail button {width: 100%; padding: .45rem 0 .15rem; border-top: .25rem solid rgba(128,128,128,.28);
  font-size: .84rem; line-height: 1.25; text-align: left}
.board .rail .past button {border-color: color-mix(in srgb, var(--st-primary-color) 45%, transparent)}
.board .rail .now button {border-color: var(--st-primary-color); font-weight: 650}
.rail b {font-weight: 650; color: var(--st-link-color); margin-right: .3rem}
@media (max-width: 640px) {
  .rail .words {display: none}
  .rail .now .words {display: inline}
  .rail {grid-auto-columns: auto; grid-template-columns: repeat(auto-fit, minmax(2rem, auto))}
}
"""


def scene_rail(labels: Sequence[str], now: int, *, key: str) -> int | None:
    """Draw the steps, `now` being the current one. Returns the number of the step that was just asked for, or None."""
    steps = []
    for number, label in enumerate(labels):
        kind = "past" if number < now else "now" if number == now else ""
        current = ' aria-current="step"' if number == now else ""
        words = f"Scene {number + 1} of {len(labels)}: {label}"
        steps.append(
            f'<li class="{kind}"><button type="button" data-pick="{number}" aria-label="{text(words)}"{current}>'
            f'<b>{number + 1}</b><span class="words">{text(label)}</span></button></li>'
        )
    picked = board(f'<ol class="rail" data-top="{now}">{"".join(steps)}</ol>', key=key, css=CSS)
    return None if picked is None else int(picked)
