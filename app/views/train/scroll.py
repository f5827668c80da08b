"""Brings a part of the page into sight."""

import streamlit as st

JS = """
export default function ({ data }) {
  if (window.scrolledTo === data.once) return;
  window.scrolledTo = data.once;
  const part = document.querySelector(data.part);
  const box = part?.getBoundingClientRect();
  if (!box || (box.top >= 60 && box.top <= 0.7 * innerHeight)) return;
  part.style.scrollMarginTop = "5rem";  // below the bar at the top
  part.scrollIntoView({ behavior: "smooth", block: "start" });
}
"""
_scroll = st.components.v2.component("scroll", html="<span></span>", js=JS)


def scroll_to(part: str, *, once: str) -> None:
    """Scroll to the element that the CSS selector names, if it is out of sight; `once` for each value of that name."""
    _scroll(key="scroll", data={"part": part, "once": once}, height=1)
