"""Sockets and the kernel's word on who calls, on real files and real connections."""
