"""The user's files: YAML with every line known, every mistake at once, secrets kept secret, the workspace."""
