"""The daemon as an attacker sees it: fuzzed, flooded, and asked by everybody for everything."""
