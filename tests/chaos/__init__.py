"""Random faults, and a checker of what they leave that shares no code with what handles them."""
