"""Federated averaging as Flower ships it."""
