"""The deployment: a stack after resolution, and the vocabulary that the CLI and the supervisor share. Pure."""
