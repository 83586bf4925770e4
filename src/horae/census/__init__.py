"""Counting what nobody may look at: the protocol "halor-chain/1", by which the operator learns a sum and nothing else.

    terms      sizes and bounds that everybody agrees on          client     Member: bytes in, bytes out
    keys       identities, key pairs, key streams, sealing        server     Coordinator: bytes in, bytes out
    shamir     secrets in shares                                  chain      whose turn it is, and dropouts
    graph      who masks with whom                                unmasking  masks off, sum checked
    table      one attempt's roster                               auditor    what totals of several epochs give away
    session    a member's secrets of one attempt                  groups     who is counted together
    messages   everything as bytes                                run        all of it in one process
    noise      client-level noise in shares                       result     what came out

where members sleep between messages (imported by name, not from here):
    kept       woken for a message and put away after it      vault      where a site keeps its members

and between processes, where nothing is added but transport (imported by name, not from here):
    processes  the operator's process, and starting the others    crew       the members' processes
    hub        its end of the connections                         frames     messages on a stream, and a token's proof

Source: Halor's README names a "chained communication architecture"; no protocol was published. This one: Li et al.
(2020) for the chain, Bonawitz et al. (2017) and Bell et al. (2020) for masks, shares and graph.
"""

from horae.census.auditor import Auditor, Log
from horae.census.client import Member
from horae.census.groups import Batch, Groups, least_delay
from horae.census.keys import Identity, seeded
from horae.census.messages import OPERATOR, Kind, Why
from horae.census.result import Result
from horae.census.run import World, local
from horae.census.server import Coordinator
from horae.census.terms import Terms

__all__ = [
    "OPERATOR",
    "Auditor",
    "Batch",
    "Coordinator",
    "Groups",
    "Identity",
    "Kind",
    "Log",
    "Member",
    "Result",
    "Terms",
    "Why",
    "World",
    "least_delay",
    "local",
    "seeded",
]
