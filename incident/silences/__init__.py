"""Silences: kept, made, changed and ended, with who did it; `desk.silences`."""
