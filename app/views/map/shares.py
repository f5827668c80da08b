"""What a set of samples is made of: the commonest of some whole numbers as bars."""

import html
from collections.abc import Callable

import numpy as np
import streamlit as st

from app import theme
from app.names import shortened

NAME = 24  # columns

CSS = """<style>
.shares {display: grid; grid-template-columns: minmax(3.2rem, max-content) 1fr max-content; gap: .18rem .7rem;
  align-items: center; font-size: .84rem; margin: -.3rem 0 .5rem}
.shares span {overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 12.5rem}
.shares i {height: .78rem; border-radius: 2px; min-width: 2px}
.shares b {font-weight: 500; opacity: .7; text-align: right}
</style>"""


def shares(title: str, values: np.ndarray, name: Callable[[int], str], *, most: int = 6) -> None:
    """Bars of the `most` commonest of `values` (n,), each under its name, and how many different ones there are."""
    numbers, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    names = [name(int(numbers[k])) for k in order]
    cells = "".join(
        f'<span title="{html.escape(whole)}"><bdi>{html.escape(short)}</bdi></span>'
        f'<i style="width:{100 * counts[k] / counts[order[0]]:.1f}%;background:{theme.BLUE}"></i>'
        f"<b>{theme.count(counts[k])}</b>"
        for k, whole, short in zip(order, names, shortened(names, NAME), strict=True)
    )
    st.markdown(f"**{title}** · {theme.count(len(numbers))}")
    st.html(f'{CSS}<div class="shares">{cells}</div>')
