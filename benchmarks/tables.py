"""Means over seeds with their intervals, for results files."""

import pandas as pd
from scipy import stats


def interval(values: pd.Series) -> tuple[float, float]:
    """Mean and half the width of the 95 % t-interval; NaN for a single value."""
    half = stats.t.ppf(0.975, len(values) - 1) * values.sem() if len(values) > 1 else float("nan")
    return float(values.mean()), float(half)


def shown(values: pd.Series) -> str:
    """Such as 0.843 ± 0.006, with the number of seeds where it is not three."""
    if values.empty:
        return ""
    mean, half = interval(values)
    count = "" if len(values) == 3 else f" ({len(values)} seed{'s' if len(values) > 1 else ''})"
    return f"{mean:.3f}{count}" if len(values) == 1 else f"{mean:.3f} ± {half:.3f}{count}"
