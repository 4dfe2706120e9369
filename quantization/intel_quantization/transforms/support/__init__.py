"""What the rewrites are made of: helpers that rewrite nothing by themselves."""
