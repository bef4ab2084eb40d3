"""Decides what runs, and runs it."""
