"""What to do with a file of a kind that is not read, as the end of a sentence."""

from pathlib import Path

TABLES = {
    ".csv": "pandas.read_csv({name!r})",
    ".tsv": "pandas.read_csv({name!r}, sep='\\t')",
    ".jsonl": "pandas.read_json({name!r}, lines=True)",
    ".json": "pandas.read_json({name!r})",
    ".feather": "pandas.read_feather({name!r})",
    ".arrow": "pandas.read_feather({name!r})",
}
TENSORS = (
    ".pt",
    ".pth",
    ".bin",
    ".ckpt",
    ".safetensors",
    ".pkl",
    ".pickle",
    ".h5",
    ".hdf5",
    ".mat",
    ".zarr",
    ".joblib",
)
ARCHIVES = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")


def vectors_remedy(path: Path) -> str:
    """How to turn a file into one of embeddings: ", for instance with ..."; empty if nothing is known of its kind."""
    kind, stem = path.suffix.lower(), path.stem
    if kind in TABLES:
        return f", for instance with {TABLES[kind].format(name=path.name)}.to_parquet({f'{stem}.parquet'!r})"
    if kind in TENSORS:
        arrays = "vectors=tensor.float().cpu().numpy(), labels=labels"
        return f", for instance with numpy.savez({f'{stem}.npz'!r}, {arrays}) where you load it"
    return ""


def data_remedy(path: Path, picture: bool) -> str:
    """What to give in place of a file that holds no data set; `picture`: it is one."""
    if remedy := vectors_remedy(path):
        return f"if it holds vectors, save them as .npz or .parquet{remedy}"
    if picture:
        return f"name the folder that holds it, {path.parent}, with a sub-folder for each class"
    if path.suffix.lower() in ARCHIVES:
        return "unpack it and name the folder, with a sub-folder for each class"
    return "put the images into a folder with a sub-folder for each class, or save vectors as .npz or .parquet"
