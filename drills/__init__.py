"""Drills: break things on purpose, watch what happens, mend them, grade the response.

    model.py (the file) -> conductor.py (conducts it, with responder.py) -> scorecard.py (the grade)

practice/ is a shop to break, demo/ puts it all on a stage, checks.py looks at every file of a workspace.
"""
