"""Many experiments at once: runs named in a file, over this machine's processors and GPUs and those of other hosts.

file.py reads SWEEP.toml, making.py makes the runs and plan.py keeps them; carrying.py has crew.py carry them out, by
child.py and remote.py. state.py is what a sweep writes down of itself, rows.py what is known of its runs and
compared.py of a comparison's; finding.py and ending.py are for `horae stop`.

Nothing is imported here, so that `horae status` and `horae stop` work without torch, which takes seconds to load.
"""
