import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bon_core.config import DataConfig, InputError
from bon_core.datasets import ImageSet, VectorSet, load_data, load_images
from bon_core.datasets.rows import Rows
from bon_core.datasets.vectors import holds_vectors, load_vector_set, load_vectors

VECTORS = np.array([[3.0, 4.0], [0.0, 2.0], [-5.0, 0.0]])
UNIT = [[0.6, 0.8], [0.0, 1.0], [-1.0, 0.0]]


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("vectors", "labels"), [("vectors", "labels"), ("embeddings", "y"), ("X", "targets"), ("features", "Label")]
)
def test_npz_of_any_float_type_under_common_names(tmp_path, dtype, vectors, labels):
    file = saved(tmp_path / "e.npz", **{vectors: VECTORS.astype(dtype), labels: np.array(["cat", "owl", "cat"])})
    found, split = load_vectors(file)
    np.testing.assert_allclose(found.vectors, UNIT, atol=1e-6)
    assert found.vectors.dtype == np.float32
    assert found.labels.tolist() == [0, 1, 0] and found.class_names == ("cat", "owl")
    assert found.ids.tolist() == [0, 1, 2]
    assert split.tolist() == [1, 1, 1] and split.dtype == np.uint8


def test_npz_with_everything(tmp_path):
    file = saved(
        tmp_path / "e.npz",
        vectors=VECTORS,
        labels=np.array([1, 0, 1]),
        ids=np.array([7, 9, 8]),
        class_names=np.array(["zero", "one", "unused"]),
        split=np.array(["train", "test", "validation"]),
    )
    found, split = load_vectors(str(file))
    assert found.ids.tolist() == [7, 9, 8]
    assert found.class_names == ("zero", "one", "unused") and found.labels.tolist() == [1, 0, 1]
    assert split.tolist() == [0, 1, 2]
    numbered = saved(tmp_path / "n.npz", vectors=VECTORS, labels=np.array([1, 0, 1]), split=np.array([2, 0, 0]))
    assert load_vectors(numbered)[1].tolist() == [2, 0, 0]


@pytest.mark.parametrize("name", ["v_labels.npy", "v.labels.npy"])
def test_npy_with_its_labels_beside_it(tmp_path, name):
    np.save(tmp_path / "v.npy", VECTORS)
    np.save(tmp_path / name, np.array([5, 6, 5]))
    found, _ = load_vectors(tmp_path / "v.npy")
    assert found.class_names == ("5", "6") and found.labels.tolist() == [0, 1, 0]


def columns_of(kind: str) -> dict:
    rows = VECTORS.tolist()
    if kind == "list":
        return {"vector": pa.array(rows)}
    if kind == "large list":
        return {"embedding": pa.array(rows, pa.large_list(pa.float64()))}
    if kind == "fixed":
        return {"Embeddings": pa.array(rows, pa.list_(pa.float32(), 2))}
    if kind == "half":
        return {"vector": pa.array([np.float16(row) for row in rows], pa.list_(pa.float16()))}
    return {"x0": VECTORS[:, 0], "x1": VECTORS[:, 1].astype(np.float32)}


@pytest.mark.parametrize("kind", ["list", "large list", "fixed", "half", "wide"])
def test_parquet(tmp_path, kind):
    table = pa.table(columns_of(kind) | {"label": ["b", "a", "b"], "id": [3, 1, 2], "split": ["test", "train", "test"]})
    pq.write_table(table, tmp_path / "e.parquet")
    found, split = load_vectors(tmp_path / "e.parquet")
    np.testing.assert_allclose(found.vectors, UNIT, atol=1e-6)
    assert found.class_names == ("a", "b") and found.labels.tolist() == [1, 0, 1]
    assert found.ids.tolist() == [3, 1, 2] and split.tolist() == [1, 0, 1]


def test_parquet_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("bon_core.base.chunks.CHUNK_ROWS", 2)
    rows = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    labels = list("abcabca")
    pq.write_table(pa.table({"vector": list(rows), "label": labels}), tmp_path / "e.parquet", row_group_size=3)
    found = load_vector_set(tmp_path / "e.parquet")
    assert found.vectors.dtype == np.float32 and np.array_equal(found.vectors, rows)
    uneven = [[1.0, 2.0]] * 6 + [[1.0]]
    pq.write_table(pa.table({"vector": uneven, "label": labels}), tmp_path / "e.parquet", row_group_size=3)
    with pytest.raises(InputError, match="lengths 2, 1"):
        load_vector_set(tmp_path / "e.parquet")


def test_parquet_in_row_groups_with_categories(tmp_path):
    table = pa.table({"vector": VECTORS.tolist() * 4, "label": pa.array(["b", "a", "b"] * 4).dictionary_encode()})
    pq.write_table(table, tmp_path / "e.parquet", row_group_size=5)
    found, _ = load_vectors(tmp_path / "e.parquet")
    assert len(found) == 12 and found.labels.tolist() == [1, 0, 1] * 4
    np.testing.assert_allclose(found.vectors[9:], UNIT, atol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"vectors": VECTORS}, "but no labels"),
        ({"labels": np.arange(3)}, "but no vectors"),
        ({"vectors": VECTORS[0], "labels": np.arange(2)}, "must be real numbers"),
        ({"vectors": VECTORS.astype(str), "labels": np.arange(3)}, "must be real numbers"),
        ({"vectors": VECTORS, "labels": np.arange(4)}, r"labels of shape \(4,\)"),
        ({"vectors": VECTORS, "labels": np.zeros((3, 2), int)}, r"labels of shape \(3, 2\)"),
        ({"vectors": VECTORS, "labels": np.array([0.5, 1, 2])}, "labels in .* are float64"),
        ({"vectors": VECTORS * [1, np.nan], "labels": np.arange(3)}, "NaN"),
        ({"vectors": VECTORS * [[1], [0], [1]], "labels": np.arange(3)}, "Embedding 1 .*only zeros"),
        ({"vectors": VECTORS, "labels": np.array([0, -1, 1])}, "smallest label is -1"),
        ({"vectors": VECTORS, "labels": np.arange(3), "ids": np.array([1, 1, 2])}, "share an id"),
        ({"vectors": VECTORS, "labels": np.arange(3), "ids": np.array(["a", "b", "c"])}, "ids in .* not whole numbers"),
        ({"vectors": VECTORS, "labels": np.arange(3), "split": np.array([0, 1, 5])}, "split .* value 5"),
        ({"vectors": VECTORS, "labels": np.arange(3), "split": np.array(["train", "value tst", "test"])}, "value tst"),
        ({"vectors": VECTORS, "labels": np.arange(3), "class_names": np.array(["a", "b"])}, "2 class names"),
        ({"vectors": VECTORS, "labels": np.array([{}, {}, {}], dtype=object)}, "pickled Python objects"),
    ],
)
def test_npz_that_cannot_be_used(tmp_path, arrays, sentence):
    with pytest.raises(InputError, match=sentence):
        load_vectors(saved(tmp_path / "e.npz", **arrays))


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"vector": [[1.0, 2.0]] * 3}, "none of labels"),
        ({"label": ["a"] * 3, "n": [1, 2, 3]}, "neither a column of lists"),
        ({"label": ["a"] * 3, "vector": [[1.0], [1.0, 2.0], [3.0]]}, "lengths 1, 2"),
        ({"label": ["a"] * 3, "vector": [[1.0, 2.0], None, [3.0, 4.0]]}, "lengths 2, None"),
        ({"label": ["a"] * 3, "vector": [[1.0, None], [3.0, 4.0], [3.0, 4.0]]}, "Embedding 0 .*NaN"),
        ({"label": ["a", None, "b"], "vector": [[1.0, 2.0]] * 3}, "label .* 1 empty"),
        ({"label": ["a"] * 3, "vector": [["u", "v"]] * 3}, "must be real numbers"),
    ],
)
def test_parquet_that_cannot_be_used(tmp_path, columns, sentence):
    pq.write_table(pa.table(columns), tmp_path / "e.parquet")
    with pytest.raises(InputError, match=sentence):
        load_vectors(tmp_path / "e.parquet")


def test_npy_that_cannot_be_used(tmp_path):
    np.save(tmp_path / "v.npy", VECTORS)
    with pytest.raises(InputError, match=r"no labels beside .*v_labels.npy"):
        load_vectors(tmp_path / "v.npy")
    np.save(tmp_path / "v_labels.npy", np.array([{}, 1, "a"], dtype=object))
    with pytest.raises(InputError, match="without Python objects"):
        load_vectors(tmp_path / "v.npy")


@pytest.mark.parametrize("name", ["e.npz", "e.npy", "e.parquet"])
def test_files_that_are_something_else(tmp_path, name):
    np.save(tmp_path / "e_labels.npy", np.arange(3))
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="not a whole"):
        load_vectors(tmp_path / name)


def test_missing_file_and_unknown_kind(tmp_path):
    with pytest.raises(InputError, match="no file of embeddings"):
        load_vectors(tmp_path / "none.npz")
    (tmp_path / "e.csv").write_text("1,2")
    with pytest.raises(InputError, match=r"save them as .npz, .npy, .parquet"):
        load_vectors(tmp_path / "e.csv")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f4", np.float64, np.int16])
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_vectors_to_train_on_are_as_the_file_has_them(tmp_path, dtype, kind):
    vectors = (np.arange(12).reshape(6, 2) + 1).astype(dtype)
    labels = np.array(["owl", "cat", "owl", "cat", "bee", "bee"])
    if kind == "npy":
        np.save(tmp_path / "v.npy", vectors)
        np.save(tmp_path / "v_labels.npy", labels)
    else:
        np.savez(tmp_path / "v.npz", vectors=vectors, labels=labels)
    found = load_vector_set(tmp_path / f"v.{kind}")
    assert (found.name, len(found), found.channels, found.class_names) == ("v", 6, 2, ("bee", "cat", "owl"))
    assert isinstance(found.vectors, Rows) == (kind == "npy")
    assert np.array_equal(found.vectors[:], vectors) and found.labels.tolist() == [2, 1, 2, 1, 0, 0]
    halves = [found.part(part) for part in ("train", "test")]
    assert set(halves[0].labels).isdisjoint(halves[1].labels) and sum(map(len, halves)) == 6
    for half in halves:
        assert np.array_equal(half.vectors[:], vectors[half.ids])


def test_rows_stay_in_their_file_and_index_as_an_array(tmp_path):
    array = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    np.save(tmp_path / "v.npy", array)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    chosen = np.array([40, 3, 3, 17, 29])
    rows = Rows(mapped).take(np.arange(49, -1, -1)).take(chosen)
    expected = array[::-1][chosen]
    assert rows.source is mapped and (rows.shape, rows.dtype, rows.ndim, len(rows)) == ((5, 3), np.float32, 2, 5)
    for which in (slice(None), slice(1, 4), np.array([4, 0, 4]), 2):
        found = rows[which]
        assert type(found) is np.ndarray and np.array_equal(found, expected[which])


def test_a_mapped_file_with_all_its_columns(tmp_path):
    np.save(tmp_path / "v.npy", np.ones((3, 2)))
    columns = {"labels": [1, 0, 1], "ids": [7, 9, 8], "split": ["test", "train", "test"], "class_names": ["a", "b"]}
    for name, values in columns.items():
        np.save(tmp_path / f"v_{name}.npy", np.array(values))
    found = load_vector_set(tmp_path / "v.npy")
    assert found.ids.tolist() == [7, 9, 8] and found.split.tolist() == [1, 0, 1] and found.class_names == ("a", "b")
    assert load_vectors(tmp_path / "v.npy")[1].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"split": np.array(["train", "test", "test"])}, "class 'a' .*embeddings in both train and test"),
        ({"labels": np.array(["a", "a", "a"])}, "1 class, but a split needs 2"),
        ({"vectors": VECTORS * [[1], [0], [1]]}, "Embedding 1 .*only zeros"),
        ({"vectors": VECTORS * [[1], [1e300], [np.inf]]}, "Embedding 1 \\(and 1 more\\) holds NaN, infinity"),
    ],
)
def test_vectors_that_cannot_be_trained_on(tmp_path, changes, sentence):
    file = saved(tmp_path / "e.npz", **{"vectors": VECTORS, "labels": np.array(["a", "b", "a"])} | changes)
    with pytest.raises(InputError, match=sentence):
        load_vector_set(file)


def test_data_is_images_or_vectors_by_what_the_file_holds(tmp_path, small_file, vectors_file):
    assert isinstance(load_data(DataConfig(name=str(small_file))), ImageSet)
    assert isinstance(load_data(DataConfig(name=str(vectors_file))), VectorSet)
    file = saved(tmp_path / "e.npz", vectors=np.eye(4), labels=np.array([0, 0, 1, 1]))
    assert isinstance(load_data(DataConfig(name=str(file))), VectorSet)
    assert [holds_vectors(path) for path in (file, small_file, vectors_file, tmp_path)] == [True, False, True, False]
    with pytest.raises(InputError, match="holds vectors and is not an image set"):
        load_images(DataConfig(name=str(file)))
    with pytest.raises(InputError, match="no image size"):
        load_data(DataConfig(name=str(file), image_size=32))
    held = load_data(DataConfig(name=str(vectors_file), holdout=0.25))
    assert set(held.split) == {0, 1, 2}


ROWS = np.random.default_rng(0).standard_normal((20, 4))
NAMES = [f"c{row % 4}" for row in range(20)]


def table(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def test_the_one_column_of_lists_is_the_vectors_whatever_its_name(tmp_path):
    file = table(
        tmp_path / "e.parquet", image_embedding=ROWS.tolist(), score=ROWS[:, 0], tokens=[[1, 2]] * 20, label=NAMES
    )
    for found in (load_vectors(file)[0], load_vector_set(file)):
        assert found.vectors.shape == (20, 4) and np.array_equal(found.fields["score"], ROWS[:, 0])
        assert found.intake.sentence().startswith(
            "Took 20 vectors of 4 classes, 4 dimensions. Vectors from the column image_embedding, labels from label."
            " Passed over: 1 column of neither numbers nor short text (tokens). Kept to colour by: score."
        )
    assert "half of the classes are kept for testing" in load_vector_set(file).intake.notes[-1]


def test_numbered_columns_are_the_vectors_and_others_are_not(tmp_path):
    numbered = {f"dim_{column}": ROWS[:, column] for column in (2, 10, 0, 1) if column < 4} | {"dim_10": ROWS[:, 3]}
    found = load_vector_set(table(tmp_path / "e.parquet", score=ROWS[:, 0], **numbered, label=NAMES))
    assert np.allclose(found.vectors, ROWS, atol=1e-6) and list(found.fields) == ["score"]
    pixels = {f"pixel{column}": np.arange(20) + column for column in range(3)}
    assert load_vector_set(table(tmp_path / "p.parquet", **pixels, label=NAMES)).channels == 3


@pytest.mark.parametrize("kind", ["fixed", "tensor", "half"])
def test_lists_of_every_kind(tmp_path, kind):
    column = pa.FixedSizeListArray.from_arrays(pa.array(ROWS.ravel()), 4)
    if kind == "tensor":
        column = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float64(), [4]), column)
    if kind == "half":
        column = pa.array([np.float16(row) for row in ROWS], pa.list_(pa.float16()))
    found = load_vector_set(table(tmp_path / "e.parquet", emb=column, label=NAMES))
    assert np.allclose(found.vectors, ROWS, atol=2e-3)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"one_embedding": ROWS.tolist(), "other": ROWS.tolist()}, "several columns of vectors .one_embedding, other."),
        (
            {"features": ROWS.tolist(), "embedding": ROWS.tolist()},
            "several columns of vectors .* rename that one to vector",
        ),
        ({"x0": ROWS[:, 0], "x1": ROWS[:, 1], "y0": ROWS[:, 2], "y1": ROWS[:, 3]}, "several rows of numbered columns"),
        ({"score": ROWS[:, 0]}, "has beside its labels score, but neither a column of lists"),
        ({"vector": pa.array([[None, None]] * 20)}, "must be lists of numbers"),
        ({"vector": pa.array([[1, 2]] * 20, pa.list_(pa.time32("s")))}, "must be real numbers"),
        ({"vector": pa.array([[1, 2]] * 20, pa.list_(pa.duration("s")))}, "must be real numbers"),
    ],
)
def test_columns_that_are_not_clear_are_refused_by_name(tmp_path, columns, sentence):
    for load in (load_vectors, load_vector_set):
        with pytest.raises(InputError, match=sentence):
            load(table(tmp_path / "e.parquet", **columns, label=NAMES))


def test_renaming_to_vector_settles_it(tmp_path):
    file = table(tmp_path / "e.parquet", vector=ROWS.tolist(), embedding=(-ROWS).tolist(), label=NAMES)
    assert np.allclose(load_vector_set(file).vectors, ROWS)
    file = saved(tmp_path / "e.npz", vectors=ROWS, features=-ROWS, label=NAMES)
    assert np.allclose(load_vector_set(file).vectors, ROWS, atol=1e-6)


def test_arrays_of_an_npz_are_found_kept_or_named(tmp_path):
    more = {"score": ROWS[:, 0], "flag": ROWS[:, 0] > 0, "notes": np.arange(3)}
    found = load_vector_set(saved(tmp_path / "e.npz", clip=ROWS, labels=NAMES, **more))
    assert "vectors from the array clip" in found.intake.source and list(found.fields) == ["score", "flag"]
    assert found.intake.passed_over == {"columns of another shape than one value a vector (notes)": 1}
    with pytest.raises(
        InputError, match=r"several arrays of vectors \(embeddings, features\).* save that one as vectors"
    ):
        load_vectors(saved(tmp_path / "e.npz", embeddings=ROWS, features=ROWS, labels=NAMES))


STRANGE = {
    "text": ROWS.astype(str),
    "bytes": ROWS.astype("S8"),
    "complex": ROWS.astype(complex),
    "dates": ROWS.astype("M8[s]"),
    "spans": ROWS.astype("m8[s]"),
    "booleans": ROWS > 0,
    "structured": np.zeros((20, 4), [("a", "f4")]),
    "void": ROWS.view("V8"),
    "no dimension": np.array(3.0),
    "three dimensions": ROWS[:, :, None],
}


@pytest.mark.parametrize("array", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.parametrize("load", [load_vectors, load_vector_set])
def test_only_real_numbers_of_two_dimensions_pass_any_door(tmp_path, array, kind, load):
    file = tmp_path / f"e.{kind}"
    if kind == "npz":
        np.savez(file, vectors=array, labels=NAMES)
    else:
        np.save(file, array)
        np.save(tmp_path / "e_labels.npy", NAMES)
    with pytest.raises(InputError, match=r"must be real numbers, \(samples, width\), with at least one of each; save"):
        load(file)


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e30, 1e-30])
@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_wide_numbers_are_the_same_at_every_door(tmp_path, scale, kind):
    vectors = ROWS * np.where(np.arange(20) == 3, scale, 1)[:, None]
    np.save(tmp_path / "e.npy", vectors)
    np.save(tmp_path / "e_labels.npy", NAMES)
    np.savez(tmp_path / "e.npz", vectors=vectors, labels=NAMES)
    for load in (load_vectors, load_vector_set):
        if 1e-38 < scale < 1e38:
            load(tmp_path / f"e.{kind}")
            continue
        with pytest.raises(InputError, match=r"Embedding 3 \(and 0 more\) .* in float32"):
            load(tmp_path / f"e.{kind}")


def test_lengths_that_are_lost_are_said(tmp_path):
    unit = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    for low, said in ((0.98, False), (0.3, True)):
        file = saved(tmp_path / "e.npz", vectors=unit * np.linspace(low, 1, 20)[:, None], labels=NAMES)
        for found in (load_vectors(file)[0], load_vector_set(file)):
            assert any("different lengths (0.3 to 1)" in note for note in found.intake.notes) == said


def test_parts_go_by_their_usual_names(tmp_path):
    split = np.array(["Train", "training", "VAL", "valid", "dev", "validation", "test", "testing", "eval", "train"])
    file = saved(tmp_path / "e.npz", vectors=ROWS[:10], labels=np.array([0, 0, 2, 2, 2, 2, 1, 1, 1, 0]), split=split)
    assert load_vectors(file)[1].tolist() == [0, 0, 2, 2, 2, 2, 1, 1, 1, 0]


def test_a_long_label_does_not_make_all_others_as_long(tmp_path):
    names = ["a" * 10_000, *NAMES[1:]]
    file = table(tmp_path / "e.parquet", vector=ROWS.tolist(), label=names, url=[f"{row}" * 50 for row in range(20)])
    found = load_vectors(file)[0]
    assert sorted(found.class_names) == sorted(set(names)) and found.fields["url"].nbytes < 20 * 50


@pytest.mark.parametrize("kind", [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8()])
def test_lists_of_whole_numbers_are_vectors_at_every_door(tmp_path, kind):
    rows = np.arange(40).reshape(20, 2) + 1
    file = table(tmp_path / "e.parquet", code=pa.array(rows.tolist(), pa.list_(kind)), score=ROWS[:, 0], label=NAMES)
    assert np.array_equal(load_vector_set(file).vectors, rows)
    embeddings, _ = load_vectors(file)
    assert np.allclose(embeddings.vectors, rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-6)
    assert "Vectors from the column code" in embeddings.intake.sentence() and list(embeddings.fields) == ["score"]
    file = saved(tmp_path / "e.npz", code=rows.astype(kind.to_pandas_dtype()), label=NAMES)
    assert np.array_equal(load_vector_set(file).vectors, rows)


def test_lists_of_whole_numbers_do_not_hide_what_is_more_likely(tmp_path):
    tags = pa.array([[1, 2]] * 20, pa.list_(pa.int64()))
    file = table(tmp_path / "e.parquet", tags=tags, clip=ROWS.tolist(), label=NAMES)
    assert np.allclose(load_vector_set(file).vectors, ROWS)
    file = table(tmp_path / "e.parquet", tags=tags, x0=ROWS[:, 0], x1=ROWS[:, 1], label=NAMES)
    assert np.allclose(load_vector_set(file).vectors, ROWS[:, :2])
    with pytest.raises(InputError, match=r"several columns of vectors \(tags, lat, lon\)"):
        load_vector_set(table(tmp_path / "e.parquet", tags=tags, lat=ROWS[:, 0], lon=ROWS[:, 1], label=NAMES))
    file = table(tmp_path / "e.parquet", vector=tags, lat=ROWS[:, 0], lon=ROWS[:, 1], label=NAMES)
    assert np.array_equal(load_vector_set(file).vectors, [[1, 2]] * 20)


def test_what_was_taken_is_said_of_npz_as_of_parquet_and_one_is_singular(tmp_path):
    split = np.array(["train"] * 19 + ["test"])
    columns = {"vectors": ROWS[:, :1], "label": np.array(["a"] * 19 + ["b"]), "split": split}
    said = load_vectors(saved(tmp_path / "e.npz", **columns))[0].intake.sentence()
    assert "label from label" not in said and "labels from label, split from split" in said
    one = load_vectors(saved(tmp_path / "e.npz", vectors=ROWS[:1, :1] + 9, label=NAMES[:1]))[0].intake
    assert one.took == "1 vector of 1 class, 1 dimension"
