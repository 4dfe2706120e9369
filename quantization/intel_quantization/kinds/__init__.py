"""What is known of each op that has an INT8 form, one file an op; :mod:`.registry` has them all.

A linear op is a :class:`~.linear_kind.LinearKind`, an op whose result is made of the very values that it reads a
:class:`~.pass_through_kind.PassThroughKind`. Everything that asks what an op is (transforms, candidates, planning,
weights, emission, the range verifier, the table of capabilities) reads the registry.
"""
