"""Synthetic journeys: walk the shop as a shopper does, judge what came back, and say so as alerts.

Data flows through the folders in this order:

    files/ (what the user wrote) -> language/ (what it means) -> running/ (walks it, over http/, reading pages/)
    -> prober/ (when, what it means as an alert, and to whom it is reported)
"""
