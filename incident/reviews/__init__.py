"""What is to be learnt from an incident once it is over: its review, its causes, what is done about them."""
