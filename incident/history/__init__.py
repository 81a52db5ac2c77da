"""What became of the journeys' runs: kept small, added up by hour and day, and held against what was promised."""
