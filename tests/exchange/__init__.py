"""Trading a token for S3 credentials, over real sockets."""
