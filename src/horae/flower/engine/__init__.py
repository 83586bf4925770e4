"""horae's own loop over Flower's nodes.

wire      tasks and replies as Flower messages            nodes    which node is which client, and who is online
heads     what is in them                                 node     what a ClientApp does with them
post      messages on their way to nodes and back         keeping  the process that a node keeps between messages,
checking  what a client may say                           kept     and what that does
field     all of it as an engine
"""
