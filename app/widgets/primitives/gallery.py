"""Many thumbnails as one grid of buttons cut from one sprite sheet."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app import cached, selection, theme
from app.view import View
from app.widgets.primitives.board import ARROWS, TILE

SPRITE_COLUMNS = 20
MAX_PICTURES = 400
BORDERS = {"right": theme.RIGHT, "wrong": theme.WRONG, "query": theme.OLIVE, "": "transparent"}

HTML = """<style class="sheet"></style><div class="grid"></div>"""
CSS = """
.grid {display: flex; flex-wrap: wrap; gap: 6px; font: 12px var(--st-font); color: var(--st-text-color)}
.grid button {all: unset; cursor: pointer; box-sizing: border-box; border-radius: 6px; padding: 2px; width: var(--w);
  border: 2px solid var(--edge); text-align: center; line-height: 1.25}
.grid button:hover, .grid button:focus-visible {background: color-mix(in srgb, var(--st-primary-color) 20%, #0000)}
.grid button:focus-visible {outline: 2px solid var(--st-primary-color)}
.grid .picture {height: var(--h); border-radius: 3px; background-color: #fff; background-repeat: no-repeat}
.grid .tile {width: auto; min-width: var(--w); max-width: 9em}
.grid .word {height: var(--h); border-radius: 3px; background: var(--st-secondary-background-color); display: grid;
  place-items: center; overflow: hidden; font-size: 12px; line-height: 1.2; padding: 0 5px}
.grid .word bdi {max-width: 100%; overflow: hidden; text-overflow: ellipsis}
.grid .caption {display: block; opacity: .75; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  font-variant-numeric: tabular-nums; padding-top: 2px}
"""
JS = (
    ARROWS
    + """
export default function ({ parentElement, data, setTriggerValue }) {
  const grid = parentElement.querySelector(".grid");
  // one rule for all faces: set on each, a long data URL costs a millisecond a picture
  const rule = data.sprite ? `.picture {background-image: url(${data.sprite})}` : "";
  parentElement.querySelector(".sheet").textContent = rule;
  grid.style.setProperty("--w", `${data.size + 8}px`);
  grid.style.setProperty("--h", `${data.size}px`);
  const focused = [...grid.children].indexOf(grid.getRootNode().activeElement);
  grid.replaceChildren(...data.items.map((item, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = item.title;
    button.setAttribute("aria-label", item.title);
    button.style.setProperty("--edge", item.edge);
    const face = document.createElement("div");
    if (data.sprite) {
      face.className = "picture";
      face.style.backgroundSize = `${data.size * data.columns}px auto`;
      const column = place % data.columns;
      const line = (place - column) / data.columns;
      face.style.backgroundPosition = `${-column * data.size}px ${-line * data.size}px`;
    } else {
      button.className = "tile";
      face.className = "word";
      face.appendChild(document.createElement("bdi")).textContent = item.word;
    }
    button.append(face);
    if (item.caption) {
      const caption = document.createElement("span");
      caption.className = "caption";
      caption.textContent = item.caption;
      button.append(caption);
    }
    button.onclick = () => setTriggerValue("clicked", item.id);
    return button;
  }));
  arrows(grid);
  if (focused >= 0) (grid.children[focused] ?? grid.lastElementChild)?.focus();
}
"""
)
_grid = st.components.v2.component("gallery", html=HTML, css=CSS, js=JS)


def gallery(
    view: View,
    ids: np.ndarray,
    *,
    key: str,
    captions: Sequence[str] | None = None,
    borders: Sequence[str] | None = None,
    size: int = 56,
    most: int = MAX_PICTURES,
) -> int | None:
    """Thumbnails that can be clicked; class names on chips for a run without images.

    Parameters
    ----------
    ids : (n,) int64 of the snapshot; unknown ones are left out, and those past `most` are counted, not shown
    key : stable name of the widget
    captions : n short texts under the pictures; none by default
    borders : n of "right", "wrong", "query", "" or a CSS colour
    size : px of a thumbnail

    Returns
    -------
    The id that was just clicked, or None.
    """
    where = view.snapshot.position_of
    chosen = [place for place, identity in enumerate(ids) if int(identity) in where]
    shown = chosen[:most]
    rows = [where[int(ids[place])] for place in shown]
    items = [
        {
            "id": str(int(ids[place])),
            "title": f"{view.class_name(row)} · id {int(ids[place])}",
            "word": view.short_name(row, TILE),
            "caption": captions[place] if captions is not None else "",
            "edge": BORDERS.get(borders[place], borders[place]) if borders is not None else "transparent",
        }
        for place, row in zip(shown, rows, strict=True)
    ]
    columns = min(SPRITE_COLUMNS, max(len(items), 1))
    sprite = cached.sprite(view, np.array([ids[place] for place in shown], np.int64), columns)
    data = {"sprite": sprite, "columns": columns, "size": size, "items": items}
    clicked = _grid(key=key, data=data, on_clicked_change=_nothing, height="content").clicked
    if len(chosen) > most:
        theme.caption(f"{theme.count(most)} of {theme.count(len(chosen))} are shown.")
    return None if clicked is None else int(clicked)


def gallery_head(title: str, ids: np.ndarray, *, origin: str, key: str, words: str = "") -> None:
    """The line above a gallery: what it shows, how many, and a button that selects them.

    Parameters
    ----------
    ids : (n,) int64, those that are counted and that the button selects
    origin : a short phrase for the selection chip
    key : of the button
    words : what the captions mean, or the like
    """
    heading = f"**{title}** · {theme.count(len(ids))}" + (f" · :gray[{words}]" if words else "")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(heading, width="stretch")
        st.button(
            "Select",
            key=key,
            type="tertiary",
            icon=":material/select:",
            disabled=not len(ids),
            on_click=selection.put,
            args=(ids,),
            kwargs={"origin": origin},
        )


def _nothing() -> None:
    """A trigger needs a callback to be reported at all."""
