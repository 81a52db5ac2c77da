"""Alerts become incidents; the right person is paged, the timeline records everything, updates go out.

Data flows through the folders in this order:

    web/ and chat/ (what comes in) -> desk.py (the one way to incidents) -> core/ (decides) -> store/ (keeps)
    -> daemon/ (cycle and outbox) -> channels/ (who hears of it)
"""
