import subprocess
import sys

import numpy as np
import pytest

from bon_core.mining import codes

QUARTERS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])  # on the circle


def test_bit_s_has_value_two_to_the_s():
    """Projections on the axes, around (0.5, 0.5): bit 0 is x > 0.5, bit 1 is y > 0.5."""
    found = codes.codes_of(QUARTERS, mean=np.array([0.5, 0.5]), projection=np.eye(2))
    assert found.tolist() == [1, 2, 0, 0]
    assert found.dtype == np.int64


def test_a_component_of_exactly_zero_gives_a_zero_bit():
    assert codes.codes_of(QUARTERS, mean=np.zeros(2), projection=np.eye(2)).tolist() == [1, 2, 0, 0]


def test_bits_of_undoes_the_packing():
    assert codes.bits_of(np.array([0, 5, 6]), 3).tolist() == [
        [False, False, False],
        [True, False, True],
        [False, True, True],
    ]


def test_hamming_neighbours_differ_in_one_bit_each():
    assert codes.hamming_neighbours(5, 3).tolist() == [4, 7, 1]


@pytest.mark.parametrize(
    ("given", "bits", "expected"),
    [
        ([0, 1, 2, 3], 2, 2.0),
        ([3, 3, 3], 2, 0.0),
        ([0, 0, 1, 1, -1, -1], 4, 1.0),
        ([0, 0, 1], 1, 0.9182958),  # H(1/3)
        ([-1, -1], 3, 0.0),
    ],
)
def test_entropy_by_hand(given, bits, expected):
    assert codes.entropy(np.array(given), bits) == pytest.approx(expected)


def test_bucket_sizes_leave_out_what_was_not_seen():
    assert codes.bucket_sizes(np.array([2, -1, 2, 0]), 2).tolist() == [1, 0, 2, 0]


def test_looking_at_codes_needs_no_torch():
    script = "import sys, bon_core.mining.codes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_the_package_gives_its_public_names_and_refuses_others():
    import bon_core.mining as mining

    assert {getattr(mining, name).__name__ for name in mining.__all__} == set(mining.__all__)
    with pytest.raises(AttributeError, match="NoSuchMiner"):
        _ = mining.NoSuchMiner
