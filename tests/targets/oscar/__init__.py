"""A stock django-oscar shop to probe: somebody else's shop, on its own virtual environment, in a process of its own.

python -m tests.targets.oscar install          once, about half a minute; `make oscar` does it
python -m tests.targets.oscar up --port 8101   serve it until Ctrl-C
python -m tests.targets.oscar fault STATE no-stock on
"""
