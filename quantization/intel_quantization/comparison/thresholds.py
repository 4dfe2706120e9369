"""When a difference is too large, and why there.

Measured on 13 published networks (AVX2, defaults of November 2026, three draws of calibration images, 30 to 250 others
to compare on), good against broken: the range of one layer, at a fifth, half, four fifths and the end of the depth,
1/64, 1/8 or 64 times what it should be, 12 graphs for each network. Pairs are (ALARM below, NOTICE below); what is
compared with them is not the figure but the end of its 95 % interval that is kindest to INT8, see ``bounds``.

No good graph is below a NOTICE. Of 156 broken ones, 92 are below an ALARM and 26 below a NOTICE; the others had lost
little (a range 64 times too wide still has two bits, and late layers may not matter).
"""

from __future__ import annotations

# Percent of samples with FP32's answer, beyond what is equal by chance. Good: 90 (MobileNet v1 0.25) to 100; a
# classifier that lost 5.5 points of top-1 has 84; broken: mostly below 50.
AGREEMENT = (75.0, 88.0)
ALL_BY_CHANCE = 0.9
"""Where nearly all is equal by chance, because nearly all answers are one, what is beyond it says nothing."""
MUCH_BY_CHANCE = 0.2
"""From here on chance is worth a word."""

# dB of centred log-softmax. Good: 14 to 25; a constant answer gives 0 or less.
SCORES_SQNR = (0.0, 5.0)

# Percent of yes-or-no answers of many that are yes in both; as AGREEMENT.
DECISIONS = (75.0, 88.0)

# Percent of symbols of sequences. Good: 96 (text recognition, whose FP32 reads as many wrongly); broken: 0 to 82.
SYMBOLS = (75.0, 90.0)

# Percent. Good (DeepLab): 84 to 88, 96 of pixels; broken: IoU 1 to 53, pixels 20 to 83.
MEAN_IOU = (50.0, 75.0)
PIXELS = (75.0, 90.0)
STRAY_PIXELS = 1e-3
"""A class that FP32 gives to a smaller share of all pixels counts not for the mean IoU."""

# Percent of boxes. Good: 100 of both detectors; broken: 0 to 20, or 80 and more.
BOXES = (50.0, 80.0)
SURE = 0.5
"""Boxes with this score count; of a detector that is seldom so sure, those with less, down to LEAST_SURE."""
LEAST_SURE = 0.2

# dB of whatever else: plain, and of what differs between samples, where there are enough to tell. Good (landmarks of
# faces): 35 plain, of which 14 to 16 are left of what differs. A constant answer keeps 20 plain, but 0 of that.
SQNR = (3.0, 8.0)
VARIATION = (3.0, 6.0)

# Cosine of embeddings about their mean: 0 for a constant, 0.97 at 12 dB, 0.85 at 5, 0.6 at 2 dB.
COSINE = (0.6, 0.85)

# Points of top-1. The tool promises 1; 2 is where the whole 95 % interval of the loss lies beyond that with certainty.
DROP = 1.0
CERTAIN_DROP = 2.0

FEWEST_ANSWERS = 2
"""One sample proves nothing about shares."""
FEWEST_ALIKE = 8
"""Samples of which it is worth a notice that FP32 says the same of all of them ..."""
ENOUGH_ALIKE = 16
"""... and an alarm: the right answer to so many images is one of MANY_CLASSES only in a folder of one class."""
MANY_CLASSES = 10
ALIKE = 95.0
"""Percent of samples. Good: at most 73 (10 classes), 60 (2 classes)."""
WHOLE_MAP = 0.999
"""The share of an image's pixels that is all of it."""
CONSTANT = 1e-2
"""Percent of the power of numbers that differs between samples. Good: 0.5 (landmarks of faces)."""
INFORMATION = 0.1
"""Nats that scores say of the sample. Good: 0.7 to 3.3; under some wrong preprocessings 0.00 to 0.02."""
INFORMATION_OF_FEW = 0.02
"""The same of fewer than MANY_CLASSES. Good: 0.37 of two classes."""
POOR = 20.0
"""Percent right that no FP32 graph of MANY_CLASSES is below. Good: 53 and more; of a thousand classes, under a wrong
scale, 0 to 2."""

# Nats, plus probability: how much better than the preprocessing that was given another may fit, on 16 samples. Where
# the right one was given, others are up to 0.5 ahead; where one of a wrong scale was, the best is 0.8 to 3.3 ahead.
BETTER = 0.75
FAR_BETTER = 1.0
