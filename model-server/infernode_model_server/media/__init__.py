"""Reads videos."""
