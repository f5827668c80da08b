"""Codes of an online hasher, for those who only look: NumPy, no torch.

A code is an integer of S bits. Bit s (value 2^s) is 1 where component s of (e - mean) @ projection is above zero,
e being the unit embedding. `bon_core.mining.hashing` packs in the same order.

Legend: N samples, D embedding width, S bits.
"""

import numpy as np


def codes_of(vectors: np.ndarray, mean: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """Codes (N,) int64 of unit vectors (N, D), hashed with a saved mean (D,) and projection (D, S)."""
    bits = (vectors - mean) @ projection > 0  # (N, S)
    return bits @ (1 << np.arange(projection.shape[1], dtype=np.int64))


def bits_of(codes: np.ndarray, bits: int) -> np.ndarray:
    """The S = `bits` bits (N, S) bool of codes (N,); column s is the bit of value 2^s."""
    return (np.asarray(codes)[:, None] >> np.arange(bits)) & 1 == 1


def hamming_neighbours(code: int, bits: int) -> np.ndarray:
    """The S codes (S,) int64 that differ from `code` in one bit, bit 0 first."""
    return code ^ (1 << np.arange(bits, dtype=np.int64))


def bucket_sizes(codes: np.ndarray, bits: int) -> np.ndarray:
    """How many of `codes` (N,) fall in each bucket, (2^S,) int64; a code of -1 (not seen) counts nowhere."""
    codes = np.asarray(codes)
    return np.bincount(codes[codes >= 0], minlength=1 << bits)


def entropy(codes: np.ndarray, bits: int) -> float:
    """Entropy of the buckets, in bits: S when all are equally full, 0 when all samples share one (or none is seen)."""
    sizes = bucket_sizes(codes, bits)
    shares = sizes[sizes > 0] / max(sizes.sum(), 1)
    return float(-(shares * np.log2(shares)).sum()) + 0.0  # + 0.0 turns -0.0 into 0.0
