"""The simulated lakeland: every pixel a pure function of its place and a seed."""
