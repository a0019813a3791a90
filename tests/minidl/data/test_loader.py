"""DataLoader: batches, order, threads, errors, and going on after a stop at any batch."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import minidl
from minidl import checkpoint
from minidl.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    random_split,
)


class Numbers(Dataset):
    """Sample i is the number i; ``fetched`` remembers who was asked for."""

    def __init__(self, size=10, broken=()):
        self.size = size
        self.broken = broken
        self.fetched = []

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        self.fetched.append(index)
        if index in self.broken:
            raise OSError(f"file {index} is unreadable")
        return index


class SampleBySample(Dataset):
    """The same samples, without the way to ask for a whole batch."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index]


def generator(seed=0):
    return minidl.Generator().manual_seed(seed)


def tensors(size=10):
    x = minidl.from_numpy(np.arange(size * 6, dtype=np.float32).reshape(size, 2, 3))
    return TensorDataset(x, minidl.from_numpy(np.arange(size)))


def values(loader):
    return [batch.tolist() for batch in loader]


def text_of(error, function):
    with pytest.raises(error) as caught:
        function()
    return str(caught.value)


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("DataLoader")]


# --- batches and their order ---------------------------------------------------------------------------------------

BATCHINGS = [
    {},
    {"batch_size": 3},
    {"batch_size": 3, "drop_last": True},
    {"batch_size": 5},
    {"batch_size": 20},
    {"batch_size": 20, "drop_last": True},
    {"batch_size": None},
    {"batch_size": 3, "sampler": [7, 1, 1, 0]},
    {"batch_sampler": [[1, 2], [], [5], [9, 8, 7]], "collate_fn": list},
    {"batch_sampler": [[1, 2], [5], [9, 8, 7]]},
]


@pytest.mark.parametrize("options", BATCHINGS)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_are_pytorchs(options, num_workers):
    torch_data = pytest.importorskip("torch.utils.data", reason="compares with PyTorch")
    ours = DataLoader(Numbers(), num_workers=num_workers, **options)
    theirs = torch_data.DataLoader(range(10), **options)
    assert len(ours) == len(theirs)
    assert [np.asarray(batch).tolist() for batch in map(plain, ours)] == [plain(batch) for batch in theirs]


def plain(batch):
    return batch.tolist() if hasattr(batch, "tolist") else batch


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_shuffling_gives_every_sample_once_and_another_order_each_time(num_workers):
    loader = DataLoader(Numbers(20), 6, shuffle=True, generator=generator(), num_workers=num_workers)
    assert [len(batch) for batch in loader] == [6, 6, 6, 2]
    first, second = ([i for batch in loader for i in batch.tolist()] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert list(range(20)) not in (first, second)


def test_the_order_follows_the_seed_and_not_the_workers():
    runs = [
        values(DataLoader(Numbers(20), 3, shuffle=True, generator=generator(5), num_workers=workers))
        for workers in (0, 1, 4)
    ]
    assert runs[0] == runs[1] == runs[2]
    assert runs[0] != values(DataLoader(Numbers(20), 3, shuffle=True, generator=generator(6)))


def test_without_a_generator_the_global_seed_decides():
    runs = []
    for seed in (1, 1, 2):
        minidl.manual_seed(seed)
        runs.append(values(DataLoader(Numbers(20), 4, shuffle=True)))
    assert runs[0] == runs[1] != runs[2]


def test_two_passes_at_once_do_not_disturb_each_other():
    loader = DataLoader(Numbers(), 2, shuffle=True, generator=generator())
    expected = DataLoader(Numbers(), 2, shuffle=True, generator=generator())
    first, second = iter(loader), iter(loader)
    one, two = next(first).tolist(), next(second).tolist()
    passes = [[one, *values(first)], [two, *values(second)]]
    assert passes == [values(expected), values(expected)]
    assert [(a.tolist(), b.tolist()) for a in DataLoader(Numbers(2)) for b in DataLoader(Numbers(2))] == [
        ([i], [j]) for i in range(2) for j in range(2)
    ]


def test_samplers():
    assert list(SequentialSampler("abc")) == [0, 1, 2]
    assert list(BatchSampler(range(5), 2, drop_last=False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    thrice = list(RandomSampler(range(4), num_samples=10, generator=generator()))
    assert [sorted(thrice[:4]), sorted(thrice[4:8]), len(thrice)] == [[0, 1, 2, 3], [0, 1, 2, 3], 10]
    drawn = list(RandomSampler(range(4), replacement=True, num_samples=400, generator=generator()))
    assert len(drawn) == 400
    assert all(60 < drawn.count(i) < 140 for i in range(4))
    assert text_of(NotImplementedError, lambda: iter(Sampler())) == "Sampler: a Sampler defines __iter__()"


def test_a_pass_takes_one_draw_whatever_its_length():
    for size in (3, 3000):
        g = generator()
        next(iter(DataLoader(Numbers(size), 2, shuffle=True, generator=g)))
        assert g.get_state().tolist() == [0, 1]


# --- whole batches at once -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("kind", ["tensors", "subset", "nested subset", "split"])
def test_whole_batches_are_those_of_the_samples(kind, num_workers):
    dataset = {
        "tensors": lambda: tensors(),
        "subset": lambda: Subset(tensors(), [3, -1, 3, 0, 7, 8]),
        "nested subset": lambda: Subset(Subset(tensors(), np.array([5, 4, 3, 2, 1])), minidl.tensor([0, 4, 2])),
        "split": lambda: random_split(tensors(), [0.7, 0.3], generator())[0],
    }[kind]()
    options = {"batch_size": 4, "shuffle": True, "num_workers": num_workers}
    fast = list(DataLoader(dataset, generator=generator(), **options))
    slow = list(DataLoader(SampleBySample(dataset), generator=generator(), **options))
    assert len(fast) == len(slow) > 0
    for ours, theirs in zip(fast, slow, strict=True):
        assert type(ours) is type(theirs) is list
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy(), strict=True)


def test_whole_batches_take_one_call_and_no_sample_by_sample(monkeypatch):
    monkeypatch.setattr(TensorDataset, "__getitem__", None)
    assert [y.tolist() for _, y in DataLoader(Subset(tensors(), range(4)), 3)] == [[0, 1, 2], [3]]


def test_a_subclass_that_changes_the_samples_is_asked_for_samples():
    class Doubled(TensorDataset):
        def __getitem__(self, index):
            return tuple(part * 2 for part in super().__getitem__(index))

    class Shifted(Subset):
        def __getitem__(self, index):
            return super().__getitem__(index)[1] + 100

    assert [y.tolist() for _, y in DataLoader(Doubled(*tensors(4).tensors), 4)] == [[0, 2, 4, 6]]
    assert values(DataLoader(Shifted(tensors(), [2, 1]), 2)) == [[102, 101]]
    assert [y.tolist() for _, y in DataLoader(Subset(Doubled(*tensors(4).tensors), [3, 1]), 2)] == [[6, 2]]
    assert [y.tolist() for _, y in DataLoader(ConcatDataset([tensors(1), Doubled(*tensors(2).tensors)]), 3)] == [
        [0, 0, 2]
    ]


def test_a_collate_fn_sees_the_samples():
    loader = DataLoader(tensors(3), 2, collate_fn=lambda samples: [type(sample) for sample in samples])
    assert list(loader) == [[tuple, tuple], [tuple]]


@pytest.mark.parametrize("wrap", [lambda dataset: dataset, SampleBySample, lambda dataset: Subset(dataset, range(10))])
def test_batches_share_no_memory_with_the_data(wrap):
    dataset = wrap(tensors())
    (x, _), *_ = DataLoader(dataset, 2)
    x.numpy()[:] = -1
    assert dataset[0][0].tolist() == tensors()[0][0].tolist()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_grad_mode_is_the_callers(num_workers):
    x = minidl.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (batch,) = next(iter(DataLoader(TensorDataset(x), 2, num_workers=num_workers)))
    assert batch.requires_grad
    with minidl.no_grad():
        (batch,) = next(iter(DataLoader(TensorDataset(x), 2, num_workers=num_workers)))
    assert not batch.requires_grad


# --- threads ---------------------------------------------------------------------------------------------------------


class Slow(Numbers):
    """Later samples are ready earlier."""

    def __getitem__(self, index):
        time.sleep(0.002 * (self.size - index))
        return super().__getitem__(index)


def test_threads_keep_the_order_and_run_at_the_same_time():
    at_work, most = [], []

    class Counting(Slow):
        def __getitem__(self, index):
            at_work.append(index)
            most.append(len(at_work))
            sample = super().__getitem__(index)
            at_work.remove(index)
            return sample

    assert values(DataLoader(Counting(12), 2, num_workers=3)) == values(DataLoader(Numbers(12), 2))
    assert max(most) == 3


@pytest.mark.parametrize("prefetch_factor", [None, 1, 3])
def test_threads_are_ahead_by_a_bounded_number_of_batches(prefetch_factor):
    dataset = Numbers(100)
    batches = iter(DataLoader(dataset, 1, num_workers=2, prefetch_factor=prefetch_factor))
    bound = 2 * (prefetch_factor or 2) + 1
    next(batches)
    deadline = time.monotonic() + 10
    while len(dataset.fetched) < bound and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert len(dataset.fetched) == bound
    batches.close()


def test_no_thread_is_left_when_a_loop_ends_breaks_or_raises():
    loader = DataLoader(Slow(20), 1, num_workers=3)
    for _ in loader:
        break
    assert loader_threads() == []
    with pytest.raises(ZeroDivisionError):
        [1 / (len(loader_threads()) - 3) for _ in loader]  # three threads are at work by then
    assert loader_threads() == []
    list(DataLoader(Slow(4), 1, num_workers=3))
    assert loader_threads() == []


def test_an_interrupt_while_waiting_for_a_thread_ends_the_loop():
    class Interrupting(Slow):
        def __getitem__(self, index):
            if index == 1:
                os.kill(os.getpid(), signal.SIGINT)
            return super().__getitem__(index)

    batches = iter(DataLoader(Interrupting(10), 1, num_workers=1))
    with pytest.raises(KeyboardInterrupt):
        list(batches)
    assert loader_threads() == []
    assert list(batches) == []


def test_a_process_ends_though_a_loop_was_left_open():
    program = (
        "from minidl.data import DataLoader; batches = iter(DataLoader(range(9), num_workers=2)); print(next(batches))"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


def test_leaving_early_fetches_no_more():
    dataset = Slow(100)
    for _ in DataLoader(dataset, 1, num_workers=2):
        break
    fetched = len(dataset.fetched)
    assert fetched <= 7
    time.sleep(0.02)
    assert len(dataset.fetched) == fetched


@pytest.mark.parametrize("num_workers", [0, 2])
def test_what_a_sample_raises_reaches_the_caller_with_its_index(num_workers):
    loader = DataLoader(Numbers(10, broken=[5]), 2, num_workers=num_workers)
    seen = []
    with pytest.raises(OSError) as caught:
        seen.extend(batch.tolist() for batch in loader)
    assert seen == [[0, 1], [2, 3]]
    assert str(caught.value) == "file 5 is unreadable"
    assert caught.value.__notes__ == ["DataLoader: raised by dataset[5]"]
    assert caught.traceback[-1].name == "__getitem__"
    assert loader_threads() == []


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_index_that_a_sampler_made_up(num_workers):
    for index in (10, -11):
        loader = DataLoader(tensors(), batch_sampler=[[1, index]], num_workers=num_workers)
        assert text_of(IndexError, lambda loader=loader: list(loader)) == (
            f"TensorDataset: index {index} is out of range for 10 samples"
        )
    loader = DataLoader(tensors(), batch_sampler=[["a"]], num_workers=num_workers)
    assert text_of(TypeError, lambda: list(loader)) == "TensorDataset: the index of a sample is an int, not str"


# --- wrong arguments -------------------------------------------------------------------------------------------------

WRONG = [
    ({"sampler": [0], "shuffle": True}, "DataLoader: give either sampler or shuffle, not both"),
    (
        {"batch_sampler": [[0]], "batch_size": 2},
        "DataLoader: give either batch_sampler or batch_size, shuffle, sampler and drop_last",
    ),
    (
        {"batch_sampler": [[0]], "shuffle": True},
        "DataLoader: give either batch_sampler or batch_size, shuffle, sampler and drop_last",
    ),
    ({"batch_size": None, "drop_last": True}, "DataLoader: drop_last needs a batch_size"),
    ({"batch_size": 0}, "BatchSampler: batch_size must be a positive int, got 0"),
    ({"batch_size": 2.0}, "BatchSampler: batch_size must be a positive int, got 2.0"),
    ({"batch_size": True}, "BatchSampler: batch_size must be a positive int, got True"),
    ({"num_workers": -1}, "DataLoader: num_workers must not be negative, got -1"),
    (
        {"prefetch_factor": 2},
        "DataLoader: prefetch_factor must be positive and needs num_workers > 0, got prefetch_factor=2, num_workers=0",
    ),
    (
        {"prefetch_factor": 0, "num_workers": 1},
        "DataLoader: prefetch_factor must be positive and needs num_workers > 0, got prefetch_factor=0, num_workers=1",
    ),
]


@pytest.mark.parametrize(("options", "text"), WRONG)
def test_wrong_arguments(options, text):
    assert text_of(ValueError, lambda: DataLoader(Numbers(), **options)) == text


def test_wrong_data_and_wrong_number_of_samples():
    assert text_of(TypeError, lambda: DataLoader(5)) == (
        "DataLoader: a data set needs __getitem__ and __len__, not so int"
    )
    for wrong in (0, -1, 2.5):
        assert text_of(ValueError, lambda wrong=wrong: RandomSampler(Numbers(), num_samples=wrong)) == (
            f"RandomSampler: num_samples must be a positive int, got {wrong}"
        )
    assert list(DataLoader(Numbers(0), 2, shuffle=True)) == []
    assert text_of(ValueError, lambda: iter(RandomSampler(Numbers(0), num_samples=5))) == (
        "RandomSampler: num_samples=5, but the data source is empty"
    )


# --- going on after a stop -------------------------------------------------------------------------------------------


def make_loader(own_generator, num_workers=0, dataset=None):
    return DataLoader(
        Numbers(11) if dataset is None else dataset,
        batch_size=3,
        shuffle=True,
        num_workers=num_workers,
        generator=generator(3) if own_generator else None,
    )


def run(loader, epochs, stop=None):
    """Batches of a training run, each with a draw of the run itself; stop and return the state after ``stop``."""
    log = []
    for epoch in range(loader.epoch, epochs):
        for batch in loader:
            log.append((epoch, batch.tolist(), minidl.default_generator.next().random()))
            if len(log) == stop:
                return log, loader.state_dict(), minidl.get_rng_state()
    return log


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("own_generator", [True, False])
def test_a_run_stopped_anywhere_goes_on_as_if_it_had_not(own_generator, num_workers):
    minidl.manual_seed(7)
    whole = run(make_loader(own_generator, num_workers), epochs=3)
    assert len(whole) == 12
    for stop in range(1, 13):
        minidl.manual_seed(7)
        before, state, random_state = run(make_loader(own_generator, num_workers), epochs=3, stop=stop)
        minidl.manual_seed(99)
        loader = make_loader(own_generator, num_workers)
        loader.load_state_dict(state)
        minidl.set_rng_state(random_state)
        assert before + run(loader, epochs=3) == whole


def test_a_run_stopped_twice_in_one_pass_goes_on():
    whole = values(make_loader(True))
    first = make_loader(True)
    batches = iter(first)
    seen = [next(batches).tolist()]
    for _ in range(2):
        again = make_loader(True)
        again.load_state_dict(first.state_dict())
        assert described(again.state_dict()) == described(first.state_dict())  # loaded, not yet begun
        batches, first = iter(again), again
        seen.append(next(batches).tolist())
    assert seen + values(batches) == whole


def described(state):
    if isinstance(state, dict):
        return {key: described(value) for key, value in state.items()}
    return state.tolist() if hasattr(state, "tolist") else state


def test_a_pass_that_has_begun_without_a_batch_keeps_its_order():
    loader = make_loader(True)
    first = values(loader)
    batches = iter(loader)
    again = make_loader(True)
    again.load_state_dict(loader.state_dict())
    second = values(batches)
    assert second != first
    assert values(again) == second
    assert values(again) == values(loader)


def test_the_state_goes_through_a_checkpoint(tmp_path):
    loader = make_loader(True)
    batches = iter(loader)
    next(batches)
    checkpoint.save(loader.state_dict(), tmp_path / "state.safetensors")
    again = make_loader(True)
    again.load_state_dict(checkpoint.load(tmp_path / "state.safetensors"))
    assert values(again) == values(batches)
    assert values(again) == values(loader)


def test_what_was_seen_is_not_fetched_again():
    loader = make_loader(True)
    batches = iter(loader)
    seen = next(batches).tolist() + next(batches).tolist()
    dataset = Numbers(11)
    again = make_loader(True, dataset=dataset)
    again.load_state_dict(loader.state_dict())
    list(again)
    assert sorted(dataset.fetched + seen) == list(range(11))


def test_the_state_at_every_moment():
    loader = DataLoader(Numbers(4), 2)
    common = {"samples": 4, "batch_size": 2}
    assert loader.state_dict() == {"epoch": 0, "batch": 0, "begun": False, **common}
    batches = iter(loader)
    assert loader.state_dict() == {"epoch": 0, "batch": 0, "begun": True, "sampler": {}, **common}
    next(batches)
    assert loader.state_dict() == {"epoch": 0, "batch": 1, "begun": True, "sampler": {}, **common}
    next(batches)
    assert loader.state_dict() == {"epoch": 0, "batch": 2, "begun": True, "sampler": {}, **common}
    assert list(batches) == []
    assert loader.state_dict() == {"epoch": 1, "batch": 0, "begun": False, **common}
    next(iter(loader))  # a pass left early is over ...
    assert loader.state_dict() == {"epoch": 1, "batch": 1, "begun": True, "sampler": {}, **common}
    iter(loader)  # ... when the next begins
    assert loader.state_dict() == {"epoch": 2, "batch": 0, "begun": True, "sampler": {}, **common}
    assert loader.epoch == 2


def test_a_sampler_with_a_state_of_its_own_is_asked_for_it():
    class Countdown(Sampler):
        """Starts one lower in every pass."""

        def __init__(self):
            self.start = 5

        def __iter__(self):
            self.start -= 1
            return iter(range(self.start, -1, -1))

        def __len__(self):
            return self.start

        def state_dict(self):
            return {"start": self.start}

        def load_state_dict(self, state):
            self.start = state["start"] + 1

    loader = DataLoader(Numbers(), 2, sampler=Countdown())
    list(loader)
    batches = iter(loader)
    assert next(batches).tolist() == [3, 2]
    again = DataLoader(Numbers(), 2, sampler=Countdown())
    again.load_state_dict(loader.state_dict())
    assert values(again) == [[1, 0]]


def test_states_that_do_not_belong_here():
    loader = make_loader(True)
    state = loader.state_dict()
    assert text_of(ValueError, lambda: DataLoader(Numbers(10), 3).load_state_dict(state)) == (
        "DataLoader.load_state_dict: the state is that of 11 samples with batch_size 3, "
        "this loader has 10 with batch_size 3"
    )
    assert text_of(ValueError, lambda: DataLoader(Numbers(11), 4).load_state_dict(state)) == (
        "DataLoader.load_state_dict: the state is that of 11 samples with batch_size 3, "
        "this loader has 11 with batch_size 4"
    )
    assert text_of(ValueError, lambda: loader.load_state_dict({"epoch": 1, "begun": False})) == (
        "DataLoader.load_state_dict: the state lacks batch, batch_size, generator, samples"
    )


def test_the_loader_has_pytorchs_name_too():
    import minidl.utils.data

    assert minidl.utils.data.DataLoader is DataLoader
    assert set(minidl.utils.data.__all__) == set(minidl.data.__all__)
