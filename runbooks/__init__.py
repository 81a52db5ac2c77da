"""Runbooks: Markdown documents that say what an alert means and what to do about it.

document.py (one file: front matter, sections, prepared updates) -> library.py (all of them, and which fits an alert)
"""
