"""The databases that `sql` steps ask.

PostgreSQL is asked from the event loop itself: its client library waits without blocking, so that a server that hangs
costs a socket until the step's time is up, and nothing else. SQLite has no such client: it runs where it is called, and
a file system that hangs, a crowded lock or a costly query would hold a thread of the prober for as long as they like.
So each of its queries has a process of its own, which is killed when time is up.
"""
