"""Boards: HTML drawn by Python whose parts can be clicked, and the sprite sheet that their pictures are cut from.

An element with `data-pick="word"` answers to click, Enter and Space; the board then returns the word, once. Buttons in
an element with `data-arrows` are one stop of the Tab key. When the value of `data-top` changes, the page scrolls to
its top.
"""

import html
import re
from collections.abc import Iterable

import numpy as np
import streamlit as st

from app import cached
from app.view import View

COLUMNS = 20  # pictures a line of a sheet
TILE = 16  # columns of a name in the place of a picture
SHEET = re.compile(r"--sheet:(url\(data:[^)]*\));")

CSS = """
.board {font: 13px var(--st-font); color: var(--st-text-color); line-height: 1.35; font-variant-numeric: tabular-nums}
.board [data-pick] {cursor: pointer}
.board button {font: inherit; color: inherit; background: none; border: 0; padding: 0; margin: 0; text-align: inherit}
.board [data-pick]:hover, .board [data-pick]:focus-visible {outline: 2px solid var(--st-primary-color);
  outline-offset: 1px; border-radius: 5px}
.board .face {display: inline-block; width: var(--size); height: var(--size); border-radius: 4px;
  background-color: #fff;
  background-repeat: no-repeat; background-image: var(--sheet);
  background-size: calc(var(--size) * var(--columns)) auto;
  box-sizing: border-box; vertical-align: middle; flex: none; box-shadow: inset 0 0 0 1px rgba(128,128,128,.16)}
.board .word {display: inline-grid; place-items: center; min-width: var(--size); max-width: 8.5em; height: var(--size);
  border-radius: 4px; background: var(--st-secondary-background-color); font-size: 11px; line-height: 1.2;
  padding: 0 5px; overflow: hidden; text-align: center; vertical-align: middle; flex: none; box-sizing: border-box}
.board .word > bdi {max-width: 100%; overflow: hidden; text-overflow: ellipsis}
.board .dim {opacity: .66}
"""
ARROWS = """
// Many buttons are one stop of the Tab key; arrow keys walk among them.
const arrows = (field) => {
  const parts = [...field.querySelectorAll("button")];
  const stop = (part) => parts.forEach((other) => { other.tabIndex = other === part ? 0 : -1; });
  const beside = (from, sign) => {  // the nearest in the next line
    const here = from.getBoundingClientRect();
    let found, least = Infinity;
    for (const part of parts) {
      const there = part.getBoundingClientRect();
      const lines = sign * (there.top - here.top);
      const far = 1000 * lines + Math.abs(there.left - here.left);
      if (lines > 1 && far < least) [found, least] = [part, far];
    }
    return found;
  };
  const ways = {
    ArrowRight: (at) => parts[at + 1], ArrowLeft: (at) => parts[at - 1],
    ArrowDown: (at) => beside(parts[at], 1), ArrowUp: (at) => beside(parts[at], -1),
    Home: () => parts[0], End: () => parts.at(-1),
  };
  stop(parts[0]);
  field.onkeydown = (event) => {
    const way = ways[event.key];
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const next = way(parts.indexOf(event.target));
    if (next) {
      stop(next);
      next.focus();
    }
  };
};
"""
JS = (
    ARROWS
    + """
// Scroll whatever scrolls around a board to its top.
const toTop = (board) => {
  for (let part = board.getRootNode().host ?? board; part; part = part.parentElement) {
    if (part.scrollTop > 0) part.scrollTop = 0;
  }
};
export default function ({ parentElement, data, setTriggerValue }) {
  const board = parentElement.querySelector(".board");
  if (board.dataset.drawn !== data.drawn) {
    const parts = () => [...board.querySelectorAll("[data-pick]")];
    const focused = parts().indexOf(board.getRootNode().activeElement);
    const top = () => board.querySelector("[data-top]")?.dataset.top;
    const before = top();
    board.innerHTML = data.html;
    if (before !== undefined && top() !== before) toTop(board);
    board.dataset.drawn = data.drawn;
    board.querySelectorAll("[data-arrows]").forEach(arrows);
    if (focused >= 0) (parts()[focused] ?? parts().at(-1))?.focus();
  }
  const pick = (event) => {
    const part = event.target.closest("[data-pick]");
    if (part) setTriggerValue("picked", part.dataset.pick);
  };
  board.onclick = pick;
}
"""
)

_board = st.components.v2.component("board", html='<div class="board"></div>', css=CSS, js=JS)


def board(content: str, *, key: str, css: str = "") -> str | None:
    """Draw `content`, HTML whose texts are escaped already; returns what was just picked on it, or None."""
    sheets = SHEET.findall(content)
    if len(sheets) == 1:  # as a rule the browser reads it once, as a variable once for every picture
        content = content.replace(f"--sheet:{sheets[0]};", "")
        css += f".board .face.face {{background-image: {sheets[0]}}}"  # twice, to outdo the rule with the variable
    drawn = f"<style>{css}</style>{content}" if css else content
    picked = _board(
        key=key, data={"html": drawn, "drawn": f"{hash(drawn):x}"}, on_picked_change=_nothing, height="content"
    ).picked
    return None if picked is None else str(picked)


def word_and_number(picked: str | None) -> tuple[str, int] | None:
    """ "cluster:3", as it was picked on a board, as ("cluster", 3)."""
    if picked is None:
        return None
    word, _, number = picked.partition(":")
    return word, int(number)


def two_numbers(picked: str | None) -> tuple[int, int] | None:
    """ "4:3", as it was picked on a board, as (4, 3)."""
    if picked is None:
        return None
    one, _, other = picked.partition(":")
    return int(one), int(other)


def text(words: object) -> str:
    """`words` escaped for HTML."""
    return html.escape(str(words))


class Sheet:
    """The pictures of some samples as one sprite; `face` cuts one out, `style` goes on an element around all faces."""

    def __init__(self, view: View, ids: Iterable[int], *, size: int = 48):
        self.view = view
        known = view.snapshot.position_of
        self.ids = [identity for identity in dict.fromkeys(int(i) for i in ids) if identity in known]
        self.place = {identity: number for number, identity in enumerate(self.ids)}
        self.columns = min(COLUMNS, max(len(self.ids), 1))
        self.size = size
        self.sprite = cached.sprite(view, np.array(self.ids, np.int64), self.columns)

    @property
    def style(self) -> str:
        """CSS for the attribute `style` of the element around the faces."""
        sheet = f"--sheet:url({self.sprite});" if self.sprite else ""
        return f"{sheet}--columns:{self.columns};--size:{self.size}px"

    def face(self, identity: int, *, pick: str | None = None, style: str = "", title: str | None = None) -> str:
        """One picture; the class name on a chip where there are no images, a dash for a sample that is not here."""
        identity = int(identity)
        tag = f'button type="button" data-pick="{text(pick)}"' if pick else "span"
        end = "button" if pick else "span"
        row = self.view.snapshot.position_of.get(identity)
        if row is None:
            return f'<span class="word" style="{style}" title="not in this snapshot">–</span>'
        name = self.view.class_name(row)
        words = text(f"{name} · id {identity}" if title is None else title)
        if self.sprite is None:
            tile = f"<bdi>{text(self.view.short_name(row, TILE))}</bdi>"
            return f'<{tag} class="word" style="{style}" title="{words}" aria-label="{words}">{tile}</{end}>'
        line, column = divmod(self.place[identity], self.columns)
        at = f"background-position:calc(var(--size) * {-column}) calc(var(--size) * {-line})"
        return f'<{tag} class="face" style="{at};{style}" title="{words}" aria-label="{words}"></{end}>'


def _nothing() -> None:
    """A trigger needs a callback to be reported at all."""
