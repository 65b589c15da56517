"""JSON-RPC 2.0 over a unix socket, one message a line. Standard library only: the daemon and `status` use it."""
