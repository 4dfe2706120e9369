"""Jobs in a locked environment of this machine, where no engine answers."""
