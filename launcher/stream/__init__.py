"""What comes out of a job: lines, events, text that no terminal may be handed as it is."""
