"""Jobs in hardened containers of an engine that speaks Docker's interface."""
