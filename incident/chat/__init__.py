"""Shopwatch in chat: the same actions as the command line, as slash commands and buttons.

http.py (signed requests in) -> words.py (what was typed) -> the desk's actions -> reply.py (the answer, for one person)

What everybody in the channel sees is made by blocks.py and sent by `incident/channels/slack.py`, through the outbox.
"""
