"""A Slack to practise on: the part of the Web API that an incident tool uses, stricter than Slack itself, and people
who type commands, press buttons and submit modals when they are told to."""
