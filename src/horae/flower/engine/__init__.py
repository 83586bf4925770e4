"""horae's own loop over Flower's nodes.

wire      tasks and replies as Flower messages            nodes   which node is which client, and who is online
post      messages on their way to nodes and back         node    what a ClientApp does with them
checking  what a client may say                           field   all of it as an engine
"""
