"""Slow, obvious twins of the retrieval code: loops over queries in float64."""

import numpy as np


def neighbours(vectors: np.ndarray, k: int, groups: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, k) and distances (N, k) of the nearest others, equal distances by position."""
    vectors = vectors.astype(np.float64)
    indices, distances = [], []
    for i in range(len(vectors)):
        others = [j for j in range(len(vectors)) if j != i and (groups is None or groups[j] == groups[i])]
        away = {j: float(np.linalg.norm(vectors[i] - vectors[j])) for j in others}
        chosen = sorted(others, key=lambda j: (away[j], j))[:k]
        indices.append(chosen)
        distances.append([away[j] for j in chosen])
    return np.array(indices), np.array(distances)


def metrics(indices: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Recall@1, 2, 4, 8, R-precision and MAP@R, by the definitions, one query at a time."""
    recall = {rank: [] for rank in (1, 2, 4, 8)}
    r_precision, map_at_r = [], []
    for i, label in enumerate(labels):
        relevant = int(np.sum(labels == label)) - 1
        if relevant == 0:
            continue
        correct = [labels[j] == label for j in indices[i]]
        for rank, hits in recall.items():
            hits.append(any(correct[:rank]))
        r_precision.append(sum(correct[:relevant]) / relevant)
        precision_at = [sum(correct[: r + 1]) / (r + 1) for r in range(relevant)]
        map_at_r.append(sum(p for p, hit in zip(precision_at, correct, strict=False) if hit) / relevant)
    return {
        **{f"recall@{rank}": float(np.mean(hits)) for rank, hits in recall.items()},
        "r_precision": float(np.mean(r_precision)),
        "map@r": float(np.mean(map_at_r)),
        "queries": len(map_at_r),
    }
