"""From options to a Job: what the user named is looked at, and becomes paths of the workspace."""
