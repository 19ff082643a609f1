"""Verbs of the command line: parse, call, print. No logic lives here."""
