"""Ways from one page to the next; the selection goes along by itself."""

import streamlit as st

PAGES = {
    "map": ("On the map", ":material/scatter_plot:"),
    "buckets": ("Their buckets", ":material/grid_view:"),
    "negatives": ("Their mined negatives", ":material/compare_arrows:"),
    "clusters": ("Their learners", ":material/workspaces:"),
    "retrieval": ("Their retrieval", ":material/image_search:"),
}


def follow(*, but: str) -> None:
    """Links that show the selection on every other page than `but`."""
    with st.container(horizontal=True, gap="small"):
        for name, (words, icon) in PAGES.items():
            if name != but:
                st.page_link(f"views/{name}/{name}.py", label=words, icon=icon)
