"""What is wrong with this machine and its channels, for a stack: one check a module, for `doctor` and before `up`."""
