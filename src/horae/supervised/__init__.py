"""Cohorts that are aggregated elsewhere: each by a process, or a Ray actor, of its own that may crash alone.

Nothing is imported here, for an aggregator is quick to begin only without torch.
"""
