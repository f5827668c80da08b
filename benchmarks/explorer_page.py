"""The page that benchmarks/explorer.py opens: synthetic points on a map, drawn by the tool that the address names.

Bare on purpose: nothing but the map, so that the tools are compared and not the pages around them. Press "Draw"; what
is then selected is counted in words.
"""

import numpy as np
import streamlit as st
from streamlit import runtime

from app import theme
from app.widgets.map import webgl_map

HEIGHT = 600
CLASSES = 8


def main() -> None:
    st.set_page_config(layout="wide")
    tool, count = st.query_params["tool"], int(st.query_params["points"])
    if st.button("Draw"):
        st.session_state["on"] = True
    if st.session_state.get("on"):
        selected = TOOLS[tool](*_points(count))
        st.markdown(f"drawn, {selected} selected")


@st.cache_resource
def _points(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Crowds of normal points, (n, 2) float32, and their classes."""
    rng = np.random.default_rng(0)
    crowds = rng.integers(0, 200, count)
    xy = 10 * rng.standard_normal((200, 2))[crowds] + rng.standard_normal((count, 2))
    return xy.astype(np.float32), crowds % CLASSES


@st.cache_resource
def _frame(count: int):
    import pandas as pd

    xy, classes = _points(count)
    return pd.DataFrame({"id": np.arange(count), "x": xy[:, 0], "y": xy[:, 1], "class": classes.astype(str)})


@st.cache_resource
def _layout(count: int) -> webgl_map.Layout:
    xy, classes = _points(count)
    return webgl_map.Layout(xy, webgl_map.Samples(np.arange(count), classes, [f"class {k}" for k in range(CLASSES)]))


def _ours(xy: np.ndarray, classes: np.ndarray) -> int:
    look = webgl_map.Look(classes, theme.HUES)
    event = webgl_map.webgl_map([webgl_map.MapView(_layout(len(xy)))], look, key="map", height=HEIGHT)
    return 0 if event is None else len(event)


def _altair(xy: np.ndarray, classes: np.ndarray) -> int:
    import altair as alt

    box = alt.selection_interval(name="box")
    hue = alt.Color("class:N", scale=alt.Scale(range=theme.HUES))
    chart = (
        alt.Chart(_frame(len(xy)))
        .mark_circle(size=8)
        .encode(x="x:Q", y="y:Q", color=hue, tooltip=["id", "class"])
        .properties(height=HEIGHT, usermeta={"embedOptions": {"renderer": "canvas"}})
        .add_params(box)
    )
    alt.data_transformers.disable_max_rows()
    chosen = st.altair_chart(chart, key="map", on_select="rerun", width="stretch")["selection"].get("box") or {}
    if not chosen:
        return 0
    (left, right), (low, high) = sorted(chosen["x"]), sorted(chosen["y"])
    return int(((xy >= (left, low)) & (xy <= (right, high))).all(axis=1).sum())


def _plotly(xy: np.ndarray, classes: np.ndarray) -> int:
    import plotly.graph_objects as go

    marker = {"size": 3, "color": np.array(theme.HUES)[classes]}
    figure = go.Figure(go.Scattergl(x=xy[:, 0], y=xy[:, 1], mode="markers", marker=marker), {"height": HEIGHT})
    figure.update_layout(dragmode="lasso")
    event = st.plotly_chart(figure, key="map", on_select="rerun", selection_mode="lasso")
    return len(event["selection"]["point_indices"])


def _atlas(xy: np.ndarray, classes: np.ndarray) -> int:
    from embedding_atlas.streamlit import embedding_atlas

    value = embedding_atlas(_frame(len(xy)), x="x", y="y", row_id="id", labels="disabled", key="map")
    return int(bool(value and value.get("predicate")))


TOOLS = {"ours": _ours, "altair": _altair, "plotly": _plotly, "atlas": _atlas}

if runtime.exists():
    main()
else:
    server = st.App(__file__, routes=webgl_map.routes())
