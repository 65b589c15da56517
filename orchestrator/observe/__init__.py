"""Looking at stacks: tables, logs, advice. All of it reads what the supervisor says, or what is on disk."""
