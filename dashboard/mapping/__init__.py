"""The map: what is in view, how it is read, and the columns beside it that steer it."""
