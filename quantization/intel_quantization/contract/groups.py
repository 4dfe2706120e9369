"""The groups of options, in the order in which they are shown."""

from __future__ import annotations

from .option import Group

MAIN = Group("every day")
DATA = Group("describe the data")
PIXELS = Group("describe how pixels become inputs", "Pixels are 0..255. If nothing is said, it is chosen by trying.")
PROGRAM = Group("calibrate with a program of your own, or the Model Zoo's")
GRAPH = Group("describe the graph")
ACCURACY = Group("gain accuracy")
COMPARISON = Group("compare INT8 with FP32")
TARGET = Group("choose what the INT8 graph is for")
PLACE = Group("choose where the job runs")
LIMITS = Group("limit the job")
VIEW = Group("see more, or less")
AGAIN = Group("name what is done again")
CLEANING = Group("remove more")
SHELL = Group("complete options")

GROUPS = (MAIN, DATA, PIXELS, PROGRAM, GRAPH, ACCURACY, COMPARISON, TARGET, PLACE, LIMITS, VIEW, AGAIN, CLEANING, SHELL)
