"""Figures for an entry of the register of formulas: some that satisfy it, and wrong ones to try the ledger with."""

import numpy as np

from lessons.register import load


def satisfying(formula):
    """Figures that the entry accepts, made from its own demands; a demand on an open quantity waits for its turn."""
    figures = {}
    while len(figures) < len(formula.shows):
        before = len(figures)
        for name, quantity in formula.shows.items():
            others = [bound for bound in (quantity.equals, quantity.differs) if bound is not None]
            others += [bound for bound in (quantity.below, quantity.above) if isinstance(bound, str)]
            if name not in figures and (quantity.value is not None or all(other in figures for other in others)):
                figures[name] = _one(quantity, figures)
        assert len(figures) > before, f"{formula.id} demands in a circle"
    return figures


def _one(quantity, figures):
    if quantity.value is not None:
        return quantity.value
    if quantity.equals is not None:
        return figures[quantity.equals]
    below, above = (figures[b] if isinstance(b, str) else b for b in (quantity.below, quantity.above))
    if below is not None and above is not None:
        return (below + above) / 2
    if below is not None:
        return below - 2.0
    if above is not None:
        return above + 2.0
    return figures[quantity.differs] + 2 * quantity.within + 1.0


def wrong_figures(formula, figures):
    """Every demand broken in turn: pairs of what is broken and the figures with that one quantity changed."""
    for name, quantity in formula.shows.items():
        for what, wrong in _wrong(formula, quantity, figures):
            yield f"{name} {what}", {**figures, name: wrong}


def _wrong(formula, quantity, figures):
    figure = figures[quantity.name]
    if quantity.value is not None:
        yield from _moved(quantity.value, quantity.tolerance, "off its value")
    if quantity.equals is not None:
        yield from _moved(figures[quantity.equals], quantity.within, f"off {quantity.equals}")
    if quantity.differs is not None:
        yield f"equal to {quantity.differs}", figures[quantity.differs]
    if quantity.printed is not None and formula.verdict == "erratum":
        yield "as printed", quantity.printed
    if quantity.printed is not None and formula.verdict != "erratum":
        yield from _moved(quantity.printed, max(quantity.rounding, quantity.tolerance), "off the printed number")
    for bound, sign in ((quantity.below, 1), (quantity.above, -1)):
        if bound is not None:
            limit = figures[bound] if isinstance(bound, str) else bound
            limit = np.min(limit) if sign > 0 else np.max(limit)
            yield f"at the bound {bound}", (np.zeros_like(np.asarray(figure, float)) + limit).tolist()
            yield f"beyond the bound {bound}", (np.zeros_like(np.asarray(figure, float)) + limit + sign).tolist()


def _moved(figure, tolerance, what):
    """The figure changed a little more than the tolerance allows: up and down, and in a list every entry by itself."""
    if isinstance(figure, bool):
        yield what, not figure
    elif isinstance(figure, str):
        yield what, figure + "x"
    elif isinstance(figure, list):
        array = np.asarray(figure, float)
        for index in np.ndindex(array.shape):
            for step in (1, -1):
                moved = array.copy()
                moved[index] += step * _beyond(tolerance, moved[index])
                yield f"{what} at {index}", moved.tolist()
        yield f"{what}: one number too many", [*figure, figure[-1]]
    else:
        step = 1 if isinstance(figure, int) and not tolerance else _beyond(tolerance, figure)
        yield f"{what} (too high)", figure + step
        yield f"{what} (too low)", figure - step


def _beyond(tolerance, figure):
    return 1.01 * tolerance + 4 * np.spacing(abs(float(figure)))


def wrong_way_round(formula, figures):
    """What the right form gives reported as the printed form's figure, and the other way round."""
    for printed in (name for name in formula.shows if name.startswith("printed")):
        right = printed.replace("printed", "right") if printed.replace("printed", "right") in figures else "right"
        if right in figures and figures[right] != figures[printed]:
            yield f"{printed} and {right}", {**figures, printed: figures[right], right: figures[printed]}


ENTRIES = list(load().values())
ERRATA = [formula for formula in ENTRIES if formula.verdict == "erratum"]
