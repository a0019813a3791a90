"""The bundled digits, IDX folders, and the checksums of what can be downloaded."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

import minidl
from minidl.data import MNIST, MNIST5K, DataLoader, FashionMNIST, IDXFolder, Subset, read_idx, write_idx

HERE = Path(minidl.data.__file__).parent
NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


@pytest.fixture(scope="module")
def digits():
    return {train: MNIST5K(train=train) for train in (True, False)}


@pytest.fixture
def folder(tmp_path):
    """Three training images of 2 x 4 pixels (plain files) and two test images (compressed)."""
    for name, array in zip(NAMES, arrays(), strict=True):
        write_idx(tmp_path / (name if name.startswith("train") else f"{name}.gz"), array)
    return tmp_path


def arrays():
    train, test = np.arange(24, dtype=np.uint8).reshape(3, 2, 4), np.full((2, 2, 4), 7, dtype=np.uint8)
    return train, np.array([5, 0, 4], dtype=np.uint8), test, np.array([1, 2], dtype=np.uint8)


def test_the_bundled_files_are_the_ones_that_were_made():
    images, labels = (read_idx(HERE / f"mnist5k-{name}.gz") for name in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    assert (images.shape, images.dtype) == ((5000, 28, 28), np.uint8)
    assert np.bincount(labels).tolist() == [500] * 10
    assert (images.min(), images.max()) == (0, 255)
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == (
        "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"
    )
    terms = (HERE / "mnist5k-LICENSE.txt").read_text()
    assert "Yann LeCun and Corinna Cortes hold the copyright" in terms
    assert "https://creativecommons.org/licenses/by-sa/3.0/" in terms


def test_the_last_hundred_of_each_class_are_held_out(digits):
    images, labels = (read_idx(HERE / f"mnist5k-{name}.gz") for name in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    places = {True: [], False: []}
    for label in range(10):
        of_class = [i for i in range(5000) if labels[i] == label]
        places[True] += of_class[:400]
        places[False] += of_class[400:]
    for train, dataset in digits.items():
        np.testing.assert_array_equal(dataset.data.numpy(), images[places[train]], strict=True)
        np.testing.assert_array_equal(dataset.targets.numpy(), labels[places[train]].astype(np.int64), strict=True)
        assert dataset.train is train
    assert (len(digits[True]), len(digits[False])) == (4000, 1000)


def test_no_held_out_digit_is_in_the_training_part(digits):
    train, test = ({image.tobytes() for image in digits[part].data.numpy()} for part in (True, False))
    assert len(train) == 4000
    assert len(test) == 1000
    assert not train & test


def test_the_conversion_in_the_docstring_gives_the_tensors_of_the_lessons(digits):
    x = digits[True].data.reshape(-1, 784) / 255
    assert (x.shape, x.dtype) == ((4000, 784), np.float32)
    assert x.numpy().max() == 1.0


def test_a_sample_is_an_image_and_an_int(digits):
    image, label = digits[True][-1]
    assert (image.shape, image.dtype, label, type(label)) == ((28, 28), np.uint8, 9, int)
    assert MNIST5K.classes[label] == "9 - nine"
    np.testing.assert_array_equal(image.numpy(), digits[True].data.numpy()[3999])


def test_an_index_out_of_range(digits):
    with pytest.raises(IndexError) as caught:
        digits[False][1000]
    assert str(caught.value) == "MNIST5K: index 1000 is out of range for 1000 samples"


def test_transforms_see_every_sample():
    dataset = MNIST5K(train=False, transform=lambda image: image[None] / 255, target_transform=lambda label: -label)
    x, y = next(iter(DataLoader(Subset(dataset, [999, 0]), batch_size=2)))
    assert (x.shape, x.dtype) == ((2, 1, 28, 28), np.float32)
    assert y.tolist() == [-9, 0]


def test_one_transform_is_enough_to_be_seen():
    loaders = (DataLoader(MNIST5K(train=False, **{name: lambda _: 5}), 2) for name in ("transform", "target_transform"))
    (images, labels), (more_images, more_labels) = (next(iter(loader)) for loader in loaders)
    assert (images.tolist(), labels.tolist()) == ([5, 5], [0, 0])
    assert (more_images.shape, more_labels.tolist()) == ((2, 28, 28), [5, 5])


def test_batches_without_transforms_are_those_of_the_samples(digits):
    class Slow(IDXFolder):
        def __init__(self):
            pass

        def __len__(self):
            return 1000

        def __getitem__(self, index):
            return digits[False][index]

    for fast, slow in zip(DataLoader(digits[False], 300), DataLoader(Slow(), 300), strict=True):
        for a, b in zip(fast, slow, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy(), strict=True)


def test_a_folder_with_plain_and_compressed_files(folder):
    train, labels, test, _ = arrays()
    dataset = IDXFolder(folder)
    np.testing.assert_array_equal(dataset.data.numpy(), train, strict=True)
    np.testing.assert_array_equal(dataset.targets.numpy(), labels.astype(np.int64), strict=True)
    np.testing.assert_array_equal(IDXFolder(folder, train=False).data.numpy(), test, strict=True)
    assert [label for _, label in dataset] == [5, 0, 4]


def test_mnist_reads_the_folder_itself_and_the_layout_of_torchvision(folder, tmp_path):
    assert len(MNIST(folder)) == 3
    raw = tmp_path / "data" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in list(folder.iterdir()):
        if path.is_file():
            path.rename(raw / path.name)
    fashion = FashionMNIST(tmp_path / "data", train=False)
    assert fashion.classes[fashion[0][1]] == "Trouser"


def test_mnist_needs_no_root_when_the_cache_has_it(folder, monkeypatch):
    monkeypatch.setenv("MINIDL_CACHE", str(folder))
    assert len(MNIST()) == 3


def test_a_missing_file_is_named(folder):
    (folder / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        IDXFolder(folder)
    assert str(caught.value) == (f"IDXFolder: no train-labels-idx1-ubyte and no train-labels-idx1-ubyte.gz in {folder}")


BAD_FOLDERS = {
    "images with two dimensions": (
        NAMES[0],
        np.zeros((3, 8), np.uint8),
        "IDXFolder: {images} has shape (3, 8); images need 3 dimensions (N, H, W)",
    ),
    "labels with two dimensions": (
        NAMES[1],
        np.zeros((3, 1), np.uint8),
        "IDXFolder: {labels} has shape (3, 1) of uint8; labels need 1 dimension of integers",
    ),
    "labels that are no integers": (
        NAMES[1],
        np.zeros(3, np.float32),
        "IDXFolder: {labels} has shape (3,) of float32; labels need 1 dimension of integers",
    ),
    "fewer labels than images": (
        NAMES[1],
        np.zeros(2, np.uint8),
        "IDXFolder: 3 images in {images} but 2 labels in {labels}",
    ),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_files_that_do_not_fit(folder, case):
    name, array, text = BAD_FOLDERS[case]
    write_idx(folder / name, array)
    with pytest.raises(ValueError) as caught:
        IDXFolder(folder)
    assert str(caught.value) == text.format(images=folder / NAMES[0], labels=folder / NAMES[1])


@pytest.mark.parametrize("dataset", [MNIST, FashionMNIST])
def test_downloads_name_four_files_with_a_sum_and_a_size_each(dataset):
    assert sorted(dataset.files) == sorted(f"{name}.gz" for name in NAMES)
    assert all(len(bytes.fromhex(sha256)) == 32 and size > 4000 for sha256, size in dataset.files.values())
    assert len(dataset.classes) == 10
