"""The client against brokers good and bad, on real sockets."""
