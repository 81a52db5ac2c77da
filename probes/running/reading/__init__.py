"""What is read out of an answer: at once where it is small, else in a process that may be slow, or be killed."""
