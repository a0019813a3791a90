"""The course: numbered lessons that rebuild deep learning and reproduce five documents, formula by formula.

A lesson is one file, `NN_name.py`, that runs alone: `python lessons/07_backpropagation.py`. It is a literate script
with `# %%` cells. Its docstring is the header, readable without running it:

    \"\"\"
    Backpropagation by hand
    =======================

    How does a loss at the end of a network tell every weight which way to move?

    :formulas: D1-2.1.3-b, D1-2.1.3-c,
        D4-4.3.1-a
    :time: 5 s
    \"\"\"

Title and underline, the question, the ids of the register (`formulas.toml`) that the lesson reproduces, each by
exactly one lesson, and its time on two slow cores. Three helpers, and nothing else, come from here:

    from lessons import progress, reproduce, save_figure

    reproduce("D3-4-d", sigmoid=sigmoid(-3.0))      # the figures only; what they must be stands in the register
    for step in progress(range(500), "training"):   # a bar in a terminal, a few lines in a file
    save_figure(fig, "loss")                        # lessons/output/07/loss.png; prints the path

`python -m lessons formulas D3-4-d` tells what an entry asks for. `lessons/exercises/NN.py` holds the checks of the
lesson's exercises (see `lessons.exercise`), and `python -m lessons` runs everything.
"""

from lessons.ledger import NotReproduced, reproduce
from lessons.screen import draw_without_windows, progress, save_figure

__all__ = ["NotReproduced", "progress", "reproduce", "save_figure"]

draw_without_windows()
