"""The classes that every detector of vdap answers in; a class id is an index into this tuple."""

CLASSES = (
    "car",
    "truck",
    "bus",
    "motorcycle",
    "bicycle",
    "pedestrian",
    "traffic light",
)
CLASS_ID = {name: index for index, name in enumerate(CLASSES)}
