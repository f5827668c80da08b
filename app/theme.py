"""The look: colours that everybody can tell apart, number formats, and the few styles Streamlit has no option for."""

import html
import re
from typing import Any

import streamlit as st

# Okabe and Ito's palette without black, all of a middle lightness: each stands out by 3 : 1 from the light and from the
# dark page, and no two are alike to a colour-blind eye. Tests hold both.
HUES = ("#166CA5", "#C78800", "#00906B", "#C5639E", "#2A9ED5", "#CC4A00", "#8662D5", "#857335")
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, VIOLET, OLIVE = HUES
CONTEXT = "#8B94A1"  # unselected points, reference lines: recedes on both backgrounds
RIGHT, WRONG = BLUE, VERMILION
SEQUENTIAL = ("#C9D6E2", "#7FB2D6", "#2F86BD", "#0B5A8F", "#08375A")
DIVERGING = ("#0B5A8F", "#56A0CF", "#B9BEC6", "#E8935A", "#B84A00")  # negative, zero, positive

STYLE = """
<style>
.stElementContainer:has(> .stMarkdown style) {display: none}
[data-testid="stMainBlockContainer"] {padding: 4.4rem 2rem 3rem; max-width: 1760px}
[data-testid="stHeader"] {border-bottom: 1px solid var(--st-border-color, rgba(128,128,128,.2))}
html, body, [data-testid="stApp"] {font-variant-numeric: tabular-nums}
.st-key-header {padding-bottom: .55rem; margin-bottom: .1rem; border-bottom: 1px solid rgba(128,128,128,.18)}
.heading {display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1.1rem; margin: .1rem 0 -.2rem}
.heading h1 {font-size: 1.5rem; font-weight: 650; letter-spacing: -.014em; line-height: 1.3; margin: 0; padding: 0}
.heading p {margin: 0; opacity: .72; line-height: 1.4}
.figures {display: grid; grid-template-columns: repeat(auto-fill, minmax(6.9rem, max-content)); gap: .6rem 1.1rem;
  margin: .15rem 0 .5rem}
.figures > div {cursor: default}
.figures .value {font-size: 1.55rem; font-weight: 620; line-height: 1.15; letter-spacing: -.015em}
.figures .name {font-size: .8rem; opacity: .68}
.figures [title] .name {text-decoration: underline dotted rgba(128,128,128,.7); text-underline-offset: 3px}
.legend {display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .82rem; line-height: 1.5; margin: .1rem 0}
.legend i {display: inline-block; width: .62rem; height: .62rem; border-radius: 50%; margin-right: .4rem}
.legend b {font-weight: 500; opacity: .7; margin-left: .35rem}
.legend .ramp {width: 9rem; border-radius: 3px; margin: 0 .5rem}
.portrait {display: flex; gap: 1rem; align-items: flex-start}
.portrait img {width: 108px; height: 108px; border-radius: 7px; object-fit: contain; box-sizing: border-box;
  border: 1px solid rgba(128,128,128,.3)}
.portrait b {font-size: 1.15rem; font-weight: 620; overflow-wrap: anywhere; overflow: hidden; display: -webkit-box;
  -webkit-box-orient: vertical; -webkit-line-clamp: 4}
.portrait dl {display: grid; grid-template-columns: auto 1fr; gap: 0 .8rem; margin: .3rem 0 0; padding: 0;
  font-size: .82rem}
.portrait dt {opacity: .7}
.portrait dd {margin: 0; overflow-wrap: anywhere}
.pair {display: flex; align-items: center; gap: .5rem; font-size: .9rem; line-height: 1.35}
.pair img {width: 52px; height: 52px; border-radius: 6px; flex: none; box-sizing: border-box;
  border: 1px solid rgba(128,128,128,.3)}
.pair b {font-weight: 620}
.pair small {opacity: .66}
.caption {opacity: .66; font-size: .86rem; line-height: 1.45}
.panel {border: 1px solid rgba(128,128,128,.22); border-radius: 7px; padding: .8rem 1rem; line-height: 1.5}
.panel.wrong {border-left: 3px solid #CC4A00}
.panel strong {font-weight: 620}
.lesson {font-size: 1.85rem; font-weight: 680; letter-spacing: -.018em; line-height: 1.2; margin: .2rem 0 0;
  padding: 0}
@media (min-width: 900px) {.st-key-scene {min-height: calc(100vh - 24.4rem)}}
.story {line-height: 1.6; margin: 0; max-width: 62ch}
.ask {font-size: 1.12rem; font-weight: 620; line-height: 1.4; margin: .25rem 0 .1rem}
.answer ul {list-style: none; margin: 0 0 .15rem; padding: 0}
.answer li {display: flex; gap: .6rem; padding: .28rem .1rem; margin: 0; opacity: .72}
.answer li i {font-style: normal; font-weight: 700; width: 1rem}
.answer li.right {font-weight: 620; opacity: 1}
.answer small {font-weight: 400; font-size: .82rem; margin-left: .4rem}
.answer .value {font-size: 2.5rem; font-weight: 680; letter-spacing: -.025em; line-height: 1.1}
.answer p {margin: .2rem 0 0; line-height: 1.5}
.takeaway {border-left: .25rem solid var(--st-primary-color, #0072B2); padding: .15rem 0 .15rem .9rem; margin: .3rem 0;
  font-size: 1.08rem; font-weight: 560; line-height: 1.45}
.reading {font-size: 1rem; line-height: 1.3}
.reading b {font-size: 1.35rem; font-weight: 650; margin-right: .2rem}
[data-testid="stPageLink"] p {white-space: normal; line-height: 1.45; padding: .28rem 0}
[data-testid="stSliderThumbValue"] p, [data-testid="stButtonGroup"] [aria-checked="true"] p
  {color: light-dark(#005E93, #7CC4F2)}
[data-testid="stVegaLiteChart"] :is(.role-axis-label, .role-axis-title, .role-legend-label, .role-legend-title) text
  {fill: light-dark(#5B6472, #A9B2BF)}
[data-testid="InputInstructions"] {display: none}
.st-key-lesson-point {flex: none; width: 64px !important}
#vg-tooltip-element {font-family: inherit; font-variant-numeric: tabular-nums; border-radius: 7px; padding: 8px 10px}
#vg-tooltip-element img {display: block; width: 72px; height: 72px; border-radius: 4px}
[data-testid="stHeading"] h2 {padding: .25rem 0 .35rem}
.st-key-phases {min-height: 6.7rem}
.st-key-cards {min-height: 14.5rem}
@media (min-width: 1400px) {.st-key-bucket-map {min-height: 30.8rem}}
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] {padding: 4.2rem .9rem 2rem}
  .st-key-header {gap: .5rem}
  .st-key-header > :is(.st-key-run, .st-key-colour) {flex: 1 1 6.6rem; width: auto}
  .st-key-header > .st-key-epoch {flex: 0 0 7.7rem}
  .st-key-header > .st-key-split {flex: 0 0 5.4rem}
  .st-key-header kbd {display: none}
  .st-key-header :is(.st-key-selection-undo, .st-key-selection-clear) button {min-width: 1.75rem}
  .st-key-class-map {overflow-x: auto}
  .st-key-class-map > * {min-width: 52rem}
  .st-key-map, .st-key-start-map {max-height: 100vw}
  .st-key-twin {max-height: 200vw}
}
</style>
"""

# For a projector. All sizes hang on the type, and the type on the window, so that what fits one window fits all of its
# proportions. Boards are drawn in px: --large makes them grow with the type.
PRESENTING = """
<style>
html {font-size: max(15px, min(3.06vh, 1.72vw)) !important; --plot-height: 27vh; --wall-side: 20.6rem;
  --corner-face: 3.1rem; --large: tan(atan2(1rem, 16px))}
[data-testid="stHeader"], .stElementContainer:has(.heading),
[data-testid="stLayoutWrapper"]:has(> .st-key-header):not(:has([role="alert"])) {display: none}
[data-testid="stMainBlockContainer"] {padding: .55rem 1.6rem 2.6rem; max-width: none}
[data-testid="stVerticalBlock"] {gap: .55rem}
[data-testid="stMain"] .stButton button {min-height: 1.9rem; padding: .15rem .7rem}
.st-key-scene {min-height: 0 !important}
.lesson {margin: 0; font-size: 1.5rem}
.story {line-height: 1.42}
.ask {font-size: 1.06rem; line-height: 1.32; margin: 0}
.answer .value {line-height: 1}
.answer ul {margin: 0}
.takeaway {line-height: 1.36}
.legend, .caption {font-size: .8rem}
.st-key-foot {position: fixed; left: 0; bottom: 0; z-index: 1; padding: .3rem 1.6rem .4rem;
  backdrop-filter: blur(1rem)}
.st-key-margin [data-testid="stWidgetLabel"] {display: none}
.st-key-foot button {font-size: .85rem}
.st-key-bucket-wall {--wall-side: 14.7rem; --wall-ends: 4rem}
.st-key-one-triplet-board, .st-key-code, .st-key-lesson-map {zoom: var(--large)}
.st-key-lesson-point, .st-key-lesson-true, .st-key-lesson-near {zoom: tan(atan2(1rem, 22px))}
</style>
"""


def style() -> None:
    """Put the styles on the page; once a run of the script."""
    _put(STYLE)


def present() -> None:
    """Large type, and nothing but the page itself: for a projector."""
    _put(PRESENTING)


def _put(styles: str) -> None:
    """As Markdown, which a browser draws at once; what draws HTML is loaded later, and the page would jump."""
    st.markdown(styles, unsafe_allow_html=True)


def hue(number: int) -> str:
    """The colour of category `number`; after eight they repeat."""
    return HUES[number % len(HUES)]


def count(number: float) -> str:
    """12345 -> "12,345"."""
    return f"{round(number):,}"


def percent(share: float | None, digits: int = 1) -> str:
    """0.7512 -> "75.1 %"; a missing value is a dash."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def duration(seconds: float | None) -> str:
    """A span in the two units that matter: 42 s, 3 min 20 s, 2 h 05 min."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def plain(text: str) -> str:
    """A name as Streamlit's Markdown shows it letter by letter: in labels, help and st.markdown it is no code."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!<>|~:$^=&])", r"\\\1", text)


def figures(items: list[tuple[str, str, str]]) -> None:
    """A row of key figures: (value, name, plain words shown on hover)."""
    cells = "".join(
        f'<div{_title(words)}><div class="value">{html.escape(value)}</div>'
        f'<div class="name">{html.escape(name)}</div></div>'
        for value, name, words in items
    )
    st.html(f'<div class="figures">{cells}</div>')


def class_level(key: str, **control: Any) -> int | None:
    """A choice of the folder that names the class, as --class-level; None: the reader decides."""
    return st.segmented_control(
        "Class folder",
        [1, 2, 3],
        format_func={1: "first", 2: "second", 3: "third"}.__getitem__,
        key=key,
        **control,
        help="--class-level: which folder of an image's path names its class. Without a choice the first, below"
        " train/ and test/ if there are such.",
    )


def legend(entries: list[tuple[str, str, str]]) -> None:
    """Colours explained: (colour, name, count or other short text)."""
    cells = "".join(
        f'<span><i style="background:{colour}"></i>{html.escape(name)}<b>{html.escape(text)}</b></span>'
        for colour, name, text in entries
    )
    st.html(f'<div class="legend">{cells}</div>')


def ramp(colours: tuple[str, ...], low: str, high: str) -> None:
    """The legend of a continuous colour: what its two ends mean."""
    gradient = f"linear-gradient(90deg, {', '.join(colours)})"
    st.html(
        f'<div class="legend"><span>{html.escape(low)}<i class="ramp" style="background:{gradient}"></i>'
        f"{html.escape(high)}</span></div>"
    )


def portrait(name: str, facts: dict[str, str], picture: str | None) -> None:
    """One sample: its picture large (an address or data text), its class name, what is known of it."""
    image = f'<img src="{picture}" alt="{html.escape(name)}">' if picture else ""
    rows = "".join(f"<dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd>" for key, value in facts.items())
    st.html(
        f'<div class="portrait">{image}<div><b title="{html.escape(name)}"><bdi>{html.escape(name)}</bdi></b>'
        f"<dl>{rows}</dl></div></div>"
    )


def pair(names: tuple[str, str], shorts: tuple[str, str], pictures: list[str | None], wrong: int, samples: int) -> None:
    """Two classes that are taken for each other, side by side: whole names on hover, short ones to read.

    wrong : how many of their `samples` are, either way
    """
    images = "".join(
        f'<img src="{picture}" alt="{html.escape(name)}">'
        for name, picture in zip(names, pictures, strict=True)
        if picture
    )
    words = " ↔ ".join(
        f'<b title="{html.escape(name)}"><bdi>{html.escape(short)}</bdi></b>'
        for name, short in zip(names, shorts, strict=True)
    )
    st.html(
        f'<div class="pair">{images}<span>{words}<br>'
        f"<small>{count(wrong)} of their {count(samples)} samples</small></span></div>",
        width="stretch",
    )


def caption(text: str, *, hover: str = "") -> None:
    """A remark that may be overlooked, and what is shown under the mouse."""
    title = f' title="{html.escape(hover)}"' if hover else ""
    st.html(f'<div class="caption"{title}>{html.escape(text)}</div>')


def error_box(sentence: str) -> None:
    """What went wrong and what to do, in plain words."""
    st.html(f'<div class="panel wrong" role="alert">{html.escape(sentence)}</div>')


def empty(what: str, remedy: str) -> None:
    """An empty state: what is missing, and how it comes to be there."""
    st.html(f'<div class="panel"><strong>{html.escape(what)}</strong><br>{html.escape(remedy)}</div>')


def _title(words: str) -> str:
    return f' title="{html.escape(words)}"' if words else ""
