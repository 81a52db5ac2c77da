"""`shopwatch demo`: a practice shop, a full Shopwatch that watches it, and a drill, all on loopback and by themselves.

stage.py (starts and ends it all) -> workspace.py (the workspace that it writes), screen.py (what the terminal shows)
"""
