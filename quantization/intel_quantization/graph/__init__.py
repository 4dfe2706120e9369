"""The intermediate representation: an indexed view of a GraphDef, patterns over it, its verifier."""
