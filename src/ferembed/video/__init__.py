"""Faces in moving pictures: tracked, named, smoothed over time, drawn and plotted."""
