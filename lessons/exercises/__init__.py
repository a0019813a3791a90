"""One file a lesson, `NN.py`: the checks of its exercises (see `lessons.exercise`)."""
