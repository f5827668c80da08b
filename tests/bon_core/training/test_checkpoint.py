import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bon_core.config import InputError
from bon_core.training.checkpoint import load_tree, save_tree

leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5).filter(lambda key: not key.startswith("__")), inner, max_size=3)
        | st.dictionaries(st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(tree=trees)
def test_plain_trees_come_back(tree, tmp_path_factory):
    path = tmp_path_factory.mktemp("tree") / "a.safetensors"
    save_tree(path, tree)
    assert load_tree(path) == tree


def test_tensors_come_back_bit_for_bit(tmp_path):
    generator = torch.Generator().manual_seed(3)
    tree = {
        "state": {0: {"step": torch.tensor(3.0), "average": torch.randn(4, 3, generator=generator).t()}},
        "rng": generator.get_state(),
        "half": torch.randn(2, generator=generator).half(),
        "mask": torch.tensor([True, False]),
        "empty": torch.zeros(0, 5),
    }
    save_tree(tmp_path / "a.safetensors", tree)
    loaded = load_tree(tmp_path / "a.safetensors")
    assert loaded["state"].keys() == {0}
    for name in ("rng", "half", "mask", "empty"):
        assert loaded[name].dtype == tree[name].dtype and torch.equal(loaded[name], tree[name])
    assert torch.equal(loaded["state"][0]["average"], tree["state"][0]["average"])


class Evil:
    def __reduce__(self):
        return print, ("executed",)


def test_a_pickle_is_refused_and_never_run(tmp_path, capsys):
    path = tmp_path / "evil.safetensors"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError, match="not a readable checkpoint"):
        load_tree(path)
    torch.save({"evil": Evil()}, path)
    with pytest.raises(InputError, match="not a readable checkpoint"):
        load_tree(path)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("keep", [0, 7, 8, 100, -1])
def test_a_file_cut_short_is_refused(tmp_path, keep):
    path = tmp_path / "a.safetensors"
    save_tree(path, {"a": torch.arange(100)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="not a readable checkpoint"):
        load_tree(path)


def test_other_safetensors_and_newer_versions_are_refused(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="not one of our checkpoints"):
        load_tree(path)
    save_file({"a": torch.zeros(1)}, path, metadata={"version": "99", "tree": "{}"})
    with pytest.raises(InputError, match="version 99"):
        load_tree(path)
    save_file({"a": torch.zeros(1)}, path, metadata={"version": "2", "tree": '{"x": {"__tensor__": "b"}}'})
    with pytest.raises(InputError, match="names tensors that it does not hold"):
        load_tree(path)
