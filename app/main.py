"""The explorer's front door: `streamlit run app/main.py`. Page config and navigation, nothing else.

Streamlit reads this file twice over: once to find the server, which serves thumbnails and the map's arrays beside the
pages, and then for every visit.
"""

import os
import sys
from pathlib import Path

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import StopException

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:
    sys.path.insert(0, str(HERE.parent))

from app import address  # noqa: E402  the project is on the path only now

PAGES = (
    ("start", "Start", ":material/home:"),
    ("train", "Train", ":material/model_training:"),
    ("map", "Map", ":material/scatter_plot:"),
    ("buckets", "Hash buckets", ":material/grid_view:"),
    ("negatives", "Mined negatives", ":material/compare_arrows:"),
    ("clusters", "K clusters", ":material/workspaces:"),
    ("retrieval", "Retrieval", ":material/image_search:"),
    ("compare", "Compare", ":material/compare:"),
    ("timeline", "Timeline", ":material/animation:"),
    ("learn", "Learn", ":material/school:"),
)


def visit() -> None:
    """One run of the page that the address names."""
    pages = [
        st.Page(HERE / "views" / name / f"{name}.py", title=title, icon=icon, url_path=name, default=name == "start")
        for name, title, icon in PAGES
    ]
    # First the icon: until one is set, the browser fetches that of the page from a host of Google's.
    st.set_page_config(page_icon=str(HERE / "icon.svg"), layout="wide")
    address.begin()
    page = st.navigation(pages, position="top")
    st.set_page_config(page_title=f"{page.title} · BoN Explorer")
    try:
        page.run()
    except StopException:
        address.send(whole=False)
        raise
    address.send()


if runtime.exists():
    visit()
else:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin starve other processes
    from app import lifetime, pictures
    from app import server as around
    from app.errors import handle_error
    from app.widgets.map import point_map, webgl_map  # noqa: F401  loaded now, so that nobody waits for them
    from app.widgets.primitives import gallery  # noqa: F401  loaded now, so that nobody waits for them

    lifetime.end_with_parent()
    server = st.App(
        __file__,
        routes=around.under_the_prefix([pictures.route(), *webgl_map.routes()]),
        middleware=around.middleware(),
        lifespan=around.lifespan,
        on_script_error=handle_error,
    )
