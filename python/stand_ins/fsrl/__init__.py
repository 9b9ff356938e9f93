"""Stands in for the package that osrl-lib imports its loggers from: that one does not install beside the rest."""
