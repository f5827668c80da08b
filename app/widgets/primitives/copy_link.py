"""A button that copies the page's address, which holds all that is being looked at."""

import streamlit as st

HTML = """<button type="button" title="Copy a link to this view" aria-label="Copy link">Copy link</button>"""
CSS = """
button {font: inherit; font-size: .9rem; color: var(--st-text-color); background: transparent; cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius, 7px); padding: .42rem .8rem;
  white-space: nowrap}
@media (max-width: 640px) {button {padding: .5rem .4rem; font-size: .8rem}}
button:hover, button:focus-visible {border-color: var(--st-primary-color); color: var(--st-primary-color)}
"""
JS = """
export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button");
  const words = matchMedia("(max-width: 640px)").matches ? "Link" : "Copy link";
  button.textContent = words;
  button.onclick = async () => {
    const link = new URL(window.location.href);
    for (const [name, value] of Object.entries(data.shown)) link.searchParams.set(name, value);
    await navigator.clipboard.writeText(link.href);
    button.textContent = data.left_out || "Copied";
    setTimeout(() => { button.textContent = words; }, data.left_out ? 5000 : 1500);
  };
}
"""

_button = st.components.v2.component("copy_link", html=HTML, css=CSS, js=JS)


def copy_link(shown: dict[str, str], *, left_out: str = "") -> None:
    """Draw the button.

    `shown` is what the header shows: the address leaves out what is the default of the moment. `left_out` is said
    after copying if the link does not hold everything.
    """
    _button(key="copy-link", data={"shown": shown, "left_out": left_out}, height="content", width="content")
