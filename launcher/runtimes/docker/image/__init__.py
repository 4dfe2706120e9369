"""The image: found by the hash of what goes into it, built where it is missing."""
