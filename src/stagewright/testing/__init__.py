"""The shipped test kit: contract suites, simulation, scripted agents."""
