"""What can go wrong through no fault of the program.

Every message is one line: what was expected, what was given, what to do. The command
line prints it and exits with 2; the dashboard shows it as it is.
"""

from __future__ import annotations


class LulcError(Exception):
    """Something the user gave does not fit."""


class SceneError(LulcError):
    """A scene cannot be opened, or does not fit the model."""


class CalibrationError(SceneError):
    """Nothing tells how the numbers of a scene become reflectance."""


class RegionError(LulcError):
    """A region is empty, malformed, or not inside the scene."""


class LegendError(LulcError):
    """A legend or a crosswalk is missing, malformed or incomplete."""


class ReferenceDataError(LulcError):
    """A reference cannot be read, is ambiguous, or does not overlap the run."""


class ModelError(LulcError):
    """A model folder is missing, corrupt, or of another shape than its card says."""


class RunError(LulcError):
    """A run is missing, unfinished, taken by another process, or would be overwritten."""


class TrainingError(LulcError):
    """The training data does not allow a model to be trained."""


class PointsError(LulcError):
    """Sample points, or the counts of them, do not fit the map or the estimators."""
