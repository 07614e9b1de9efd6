"""The error of every reader."""


class DataError(ValueError):
    """A data file or folder cannot be used as it is; the sentence says where and what would be right."""
