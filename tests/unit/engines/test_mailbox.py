"""Letters that wait for the next contact, and engines that deliver them then."""

import numpy as np
import pytest
from own_people import CLIENTS

import horae
from horae.engines.mailbox import Mailbox, only
from horae.engines.world import Pace
from horae.errors import ConfigError
from horae.types import UNKNOWN, Feedback


def told(clients, reward, path=()):
    n = len(clients)
    return Feedback(path, np.array(clients), np.array(reward), np.full(n, UNKNOWN), ((0,), (1,)), np.full(n, UNKNOWN))


def test_a_letter_is_read_with_the_answer_to_the_message_that_brought_it():
    box = Mailbox()
    box.post(told([3, 5], [0.25, -0.5]))
    assert [letter.serial for letter in box.waiting(3)] == [1] and [letter.serial for letter in box.waiting(5)] == [2]
    assert list(box.read(np.array([3]))) == []  # nobody sent it anything
    box.send(np.array([3]))
    box.post(told([3], [0.75]))  # comes too late for that message
    (first,) = box.read(np.array([3, 9]))
    assert first.clients.tolist() == [3] and first.reward.tolist() == [0.25]
    assert [letter.message.reward[0] for letter in box.waiting(3)] == [0.75]
    box.send(np.array([3]))
    assert [m.reward[0] for m in box.read(np.array([3]))] == [0.75]
    assert box.waiting(3) == () and len(box.waiting(5)) == 1


def test_who_does_not_answer_is_told_again():
    box = Mailbox()
    box.post(told([1], [0.5]))
    box.send(np.array([1]))
    box.send(np.array([1]))
    assert len(list(box.read(np.array([1])))) == 1


def test_a_box_is_its_snapshot():
    box = Mailbox()
    box.post(told([1, 2], [0.5, 0.25]))
    box.send(np.array([2]))
    other = Mailbox()
    other.restore(box.snapshot())
    assert [m.reward[0] for m in other.read(np.array([1, 2]))] == [0.25]
    assert [letter.message.reward[0] for letter in other.waiting(1)] == [0.5]
    other.post(told([1], [0.0]))
    serials = [letter.serial for letter in other.waiting(1)]
    assert serials[0] == 1 and serials[1] > 2  # never one that somebody may have heard before the stop


def test_one_clients_part_of_a_message():
    part = only(told([4, 7], [0.1, 0.9]), 1)
    assert (part.clients.tolist(), part.reward.tolist(), part.towards.tolist()) == ([7], [0.9], [UNKNOWN])


def test_feedback_is_at_once_or_with_the_next_contact():
    with pytest.raises(ConfigError, match=r"engine.feedback should be 'at once' or 'next contact'"):
        Pace(feedback="later")


RUN = {
    "name": "mail", "participants": CLIENTS, "overcommit": 1.0, "baseline": "none", "budget": {"participations": 160},
    "population": {"name": "digits-rotated", "clients": CLIENTS, "degrees": [0.0, 180.0], "images_per_client": 60},
    "availability": {"name": "always"}, "model": {"name": "logistic"}, "training": {"steps": 20},
    "clustering": {"name": "auxo", "threshold": 0.4, "min_members": 2, "min_participants": 1, "check_every": 4,
                   "start": 0.05, "epsilon": 0.5},
}  # fmt: skip


def test_cohorts_are_found_by_letters_too_and_a_run_goes_on_with_them(tmp_path):
    table = {**RUN, "engine": {"feedback": "next contact", "min_clients": 1}}
    whole = horae.run(table, out=tmp_path / "whole")
    assert whole.cohorts == 2 and whole.adjusted_rand_index == 1.0
    seen = []

    def stop():
        seen.append(1)
        return len(seen) == 11  # in the middle, when letters wait

    with pytest.raises(horae.errors.Stopped):
        horae.run(table, out=tmp_path / "parts", stop=stop)
    parts = horae.run(resume=tmp_path / "parts")
    for path, params in whole.models.items():
        assert (parts.models[path] == params).all()
