"""The seven emotions, in the one order that the whole project uses.

The order is alphabetical, which is also what Keras and Kaggle's class folders give. It is *not* the order of the
original fer2013.csv (see `train.data.CSV_LABELS`), and it travels inside every exported model file.
"""

EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
