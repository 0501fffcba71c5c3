"""Define the seven emotions, in the one order that the whole project uses.

The order is alphabetical, as in Keras and in Kaggle's class folders. It differs from the original fer2013.csv (see
`train.layouts.numbers.CSV_LABELS`), and it is stored in every exported model file.
"""

EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
UNCERTAIN = "uncertain"  # the label of a face on which no emotion is probable enough
