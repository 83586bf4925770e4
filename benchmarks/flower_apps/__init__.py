"""The apps that benchmarks/flower.py compares: each a package `overhead` of one server.py and one client.py."""
