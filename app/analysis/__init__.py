"""What the pages compute from a run's arrays: plain numpy, no Streamlit, tested on hand-worked cases."""
