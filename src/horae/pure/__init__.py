"""Arithmetic of the papers: numpy in, numpy out, no state, no clock, no model."""
