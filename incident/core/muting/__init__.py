"""What holds alerts back, so that they open no incident and page nobody: one file a stage, named in `stages`. Pure."""
