"""What units write: a file for each start, compressed under its writer, bounded, whole also after a kill."""
