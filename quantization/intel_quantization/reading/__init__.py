"""From any form of a graph that a user may have to a frozen GraphDef."""
