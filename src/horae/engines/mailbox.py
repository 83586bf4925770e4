"""Affinity messages that wait until their client is met again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from horae.types import Feedback, Ints, State

LOST = 2**20  # letters that a stopped run may have sent since its last checkpoint


@dataclass(frozen=True)
class Letter:
    """One client's message. serial: later ones have higher numbers, so that nobody reads one twice."""

    serial: int
    message: Feedback


@dataclass
class Mailbox:
    """Letters ride on a client's next train message, and are gone once it has answered that one.

    Reading: Auxo's clients hear of a round when it ends; who cannot be called hears at the next contact.
    """

    _waiting: dict[int, list[Letter]] = field(default_factory=dict, init=False)
    _taken: dict[int, int] = field(default_factory=dict, init=False)
    _next: int = field(default=1, init=False)

    def post(self, feedback: Feedback) -> None:
        """Keep the message for each of its clients."""
        for row, client in enumerate(feedback.clients.tolist()):
            self._waiting.setdefault(client, []).append(Letter(self._next, only(feedback, row)))
            self._next += 1

    def send(self, clients: Ints) -> None:
        """A train message goes to these clients, with all that waits for them."""
        for client in clients.tolist():
            if letters := self._waiting.get(client):
                self._taken[client] = letters[-1].serial

    def waiting(self, client: int) -> tuple[Letter, ...]:
        """What this client has not read, the oldest first."""
        return tuple(self._waiting.get(client, ()))

    def read(self, clients: Ints) -> Iterator[Feedback]:
        """These clients have answered: what they have read since, the oldest first, client by client."""
        for client in clients.tolist():
            last = self._taken.pop(client, 0)
            letters = self._waiting.pop(client, [])
            yield from (letter.message for letter in letters if letter.serial <= last)
            if left := [letter for letter in letters if letter.serial > last]:
                self._waiting[client] = left

    def snapshot(self) -> State:
        """All letters, and who was sent which."""
        return {client: tuple(letters) for client, letters in self._waiting.items()}, dict(self._taken), self._next

    def restore(self, state: State) -> None:
        """Back to a snapshot. Rounds that were lost since may have sent letters: new ones have numbers beyond those."""
        waiting, taken, number = state
        self._next = number + LOST
        self._waiting = {client: list(letters) for client, letters in waiting.items()}
        self._taken = dict(taken)


def only(feedback: Feedback, row: int) -> Feedback:
    """The message as one of its clients gets it."""
    part = [row]
    clients, reward = feedback.clients[part], feedback.reward[part]
    cluster, towards = feedback.cluster[part], feedback.towards[part]
    return replace(feedback, clients=clients, reward=reward, cluster=cluster, towards=towards)
