"""Rows for recurrent layers: each a function of its input, its initial state and all of its weights."""

from opcases import Case, normal

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
INPUT, HIDDEN, BATCH, LENGTH = 3, 2, 2, 3


def layer(name, **options):
    """The layer as a call for both libraries; its parameters give way to inputs of the row."""

    def call(lib, x, *others):
        module = getattr(lib.nn, name)(INPUT, HIDDEN, **options)
        names = [key for key, _ in module.named_parameters()]
        states, weights = others[: -len(names)], others[-len(names) :]
        for key, weight in zip(names, weights, strict=True):
            delattr(module, key)
            setattr(module, key, weight)
        hx = states if len(states) == 2 else states[0] if states else None
        return flat(module(x, hx))

    return call


def flat(results):
    """Tensors in nested tuples as one tuple."""
    return sum(map(flat, results), ()) if isinstance(results, tuple) else (results,)


def weights(name, num_layers=1, bidirectional=False, bias=True):
    """Every parameter of a layer, in its order."""
    rows, directions, shapes = GATES[name] * HIDDEN, 2 if bidirectional else 1, []
    for number in range(num_layers):
        width = INPUT if number == 0 else directions * HIDDEN
        shapes += directions * [(rows, width), (rows, HIDDEN), *([(rows,), (rows,)] if bias else [])]
    return [normal(*shape) for shape in shapes]


def sequence(variant, name, *states, shape=(LENGTH, BATCH, INPUT), **options):
    """A row for a layer over a sequence."""
    sizes = {key: value for key, value in options.items() if key in ("num_layers", "bidirectional", "bias")}
    inputs = [normal(*shape), *(normal(*state) for state in states), *weights(name, **sizes)]
    return Case(f"{name}{variant}", layer(name, **options), *inputs)


def step(variant, name, *states, shape=(BATCH, INPUT), **options):
    """A row for a cell."""
    inputs = [normal(*shape), *(normal(*state) for state in states)]
    inputs += weights(name.removesuffix("Cell"), bias=options.get("bias", True))
    return Case(f"{name}{variant}", layer(name, **options), *inputs)


def rows_of(name, number):
    """What every layer has a row for; ``number`` is how many tensors its state is made of."""
    return [
        step("", f"{name}Cell", *number * [(BATCH, HIDDEN)]),
        step(".no_state", f"{name}Cell"),
        step(".no_bias", f"{name}Cell", *number * [(BATCH, HIDDEN)], bias=False),
        step(".unbatched", f"{name}Cell", *number * [(HIDDEN,)], shape=(INPUT,)),
        sequence("", name, *number * [(1, BATCH, HIDDEN)]),
        sequence(".no_state", name),
        sequence(".unbatched", name, *number * [(1, HIDDEN)], shape=(LENGTH, INPUT)),
        sequence(
            ".both_directions_twice",
            name,
            *number * [(4, BATCH, HIDDEN)],
            shape=(2, BATCH, INPUT),
            num_layers=2,
            bidirectional=True,
            bias=False,
        ),
    ]


CASES = [
    *rows_of("RNN", 1),
    *rows_of("LSTM", 2),
    *rows_of("GRU", 1),
    step(".relu", "RNNCell", (BATCH, HIDDEN), nonlinearity="relu"),
    sequence(".relu", "RNN", (1, BATCH, HIDDEN), nonlinearity="relu"),
    # the walk is the same for all of them
    sequence(".one_step", "GRU", (1, BATCH, HIDDEN), shape=(1, BATCH, INPUT)),
    sequence(".empty_batch", "GRU", (1, 0, HIDDEN), shape=(LENGTH, 0, INPUT)),
    sequence(".two_layers", "RNN", (2, BATCH, HIDDEN), num_layers=2),
    sequence(".batch_first", "RNN", (1, BATCH, HIDDEN), shape=(BATCH, LENGTH, INPUT), batch_first=True),
    sequence(".both_directions_unbatched", "RNN", (2, HIDDEN), shape=(LENGTH, INPUT), bidirectional=True),
]
