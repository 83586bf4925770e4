"""Runs in which clients poison, forget, lie, or keep their updates private."""

import json

import numpy as np
import pytest

import horae
from horae.arms import train
from horae.channels.privacy import epsilon_of
from horae.errors import ConfigError
from horae.experiment import load
from horae.federate import Budget
from horae.population.harm import Harm

SMALL = {
    "population.clients": 60, "population.images_per_client": 20, "participants": 12, "baseline": "none",
    "budget.participations": 360, "clustering.min_members": 2, "clustering.at": [8], "clustering.k": 2,
}  # fmt: skip


def experiment(**changes):
    changes = {key.replace("__", "."): value for key, value in changes.items()}
    single = changes.get("clustering.name") == "single"  # which has no fields
    return load(None, {k: v for k, v in SMALL.items() if not (single and k.startswith("clustering"))} | changes)


def carried_out(folder, made, stop=lambda: False):
    folder.mkdir(exist_ok=True)
    done = train(made, made.world(), folder, stop=stop)
    return done, [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def noise(**fields):
    return [{"name": "clip_noise", "clip": 0.1, **fields}]


def only(events, kind):
    return [event for event in events if event["event"] == kind]


# ---------------------------------------------------------------- harm


def test_the_main_figures_are_those_of_honest_clients_and_the_log_says_how_many_there_are(tmp_path):
    harm = Harm(poisoned=0.2, lost_affinity=0.2, false_claims=0.2)
    done, events = carried_out(
        tmp_path / "run", experiment(harm__poisoned=0.2, harm__lost_affinity=0.2, harm__false_claims=0.2)
    )
    honest = harm.honest(np.arange(60), 0)
    assert 0 < honest.sum() < 60
    assert done.summary["harm"] == harm.counts(60, 0) == only(events, "run")[0]["harm"]
    assert done.summary["harm"]["honest"] == honest.sum()
    (last,) = only(events, "clients")
    assert [a is not None for a in last["accuracy"]] == honest.tolist()
    told = [a for a in last["accuracy"] if a is not None]
    assert done.summary["accuracy"] == pytest.approx(np.mean(told), abs=1e-6)
    assert only(events, "score")[-1]["accuracy"] == done.summary["accuracy"]
    assert done.summary["cohorts"] == 2


def test_without_harm_nothing_is_said_of_it(tmp_path):
    done, events = carried_out(tmp_path / "run", experiment(budget__participations=60))
    assert "harm" not in done.summary and "harm" not in events[0]
    assert "privacy" not in done.summary and "privacy" not in events[0]


def test_where_nobody_is_honest_there_is_no_figure(tmp_path):
    made = experiment(harm__poisoned=0.999999999, budget__participations=24, clustering__at=[])
    done, _ = carried_out(tmp_path / "run", made)
    assert done.summary["accuracy"] is None
    assert done.summary["harm"]["honest"] == 0


def test_one_global_model_does_not_feel_lost_records_or_lies(tmp_path):
    plain, _ = carried_out(tmp_path / "a", experiment(clustering__name="single", budget__participations=120))
    other, _ = carried_out(
        tmp_path / "b",
        experiment(
            clustering__name="single", budget__participations=120, harm__lost_affinity=0.5, harm__false_claims=0.5
        ),
    )
    np.testing.assert_array_equal(plain.tree[()].params, other.tree[()].params)
    assert plain.summary["bytes_up"] == other.summary["bytes_up"]


def test_whoever_lost_its_record_comes_as_a_stranger(tmp_path):
    _, events = carried_out(tmp_path / "run", experiment(harm__lost_affinity=0.4))
    forgets = Harm(lost_affinity=0.4).forgets(np.arange(60), 0)
    after = [event for event in only(events, "round") if event["cohort"] != "0" and event["clients"]]
    came = [(client, client in event.get("explorers", [])) for event in after for client in event["clients"]]
    assert any(forgets[client] for client, _ in came)
    assert all(exploring for client, exploring in came if forgets[client])
    assert not all(exploring for client, exploring in came if not forgets[client])


def test_liars_keep_to_one_cohort_and_claim_one_there(tmp_path):
    _, events = carried_out(tmp_path / "run", experiment(harm__false_claims=0.3))
    lies, where = Harm(false_claims=0.3).lies(np.arange(60), 0), {}
    for event in only(events, "round"):
        if event["cohort"] != "0":
            for client, claim in zip(event["clients"], event.get("claims", []), strict=False):
                if lies[client]:
                    assert claim == 1.0
                    where.setdefault(client, []).append(event["cohort"])
    assert len(where) > 3
    often = [max(map(places.count, places)) / len(places) for places in where.values()]
    assert np.mean(often) > 0.8  # but for those that learn that the lie was the truth


def test_a_harmed_run_is_the_same_again_and_stopped_and_gone_on_with(tmp_path):
    made = experiment(
        harm__poisoned=0.1, harm__lost_affinity=0.1, harm__false_claims=0.2, clustering__doubt_after=2,
        channels=noise(noise=0.1, visits=12),
    )  # fmt: skip
    carried_out(tmp_path / "one", made)
    asked = iter(range(10_000))
    with pytest.raises(horae.errors.Stopped):
        carried_out(tmp_path / "two", made, stop=lambda: next(asked) == 14)
    carried_out(tmp_path / "two", made)
    assert (tmp_path / "one" / "events.jsonl").read_bytes() == (tmp_path / "two" / "events.jsonl").read_bytes()


# ---------------------------------------------------------------- privacy


def test_nobody_takes_part_more_often_than_its_privacy_covers_and_the_summary_says_what_was_spent(tmp_path):
    made = experiment(channels=noise(noise=2.0, visits=7))
    done, events = carried_out(tmp_path / "run", made)
    visits = np.bincount([client for event in only(events, "round") for client in event["clients"]], minlength=60)
    assert visits.max() == 7  # six are the mean: some would have come more often
    (told,) = done.summary["privacy"]
    assert told == {"clip": 0.1, "sigma": 2.0, "visits": 7, "epsilon": epsilon_of(2.0, 1e-6, 7), "delta": 1e-6}
    assert events[0]["privacy"] == [told]


def test_without_a_limit_it_is_what_the_most_visited_client_has_spent(tmp_path):
    done, events = carried_out(tmp_path / "run", experiment(channels=noise(noise=2.0)))
    visits = np.bincount([client for event in only(events, "round") for client in event["clients"]])
    assert done.summary["privacy"][0]["visits"] == visits.max() > 7
    assert done.summary["privacy"][0]["epsilon"] == epsilon_of(2.0, 1e-6, int(visits.max()))
    assert events[0]["privacy"][0]["epsilon"] is None


def test_a_run_whose_clients_have_nothing_left_to_give_ends(tmp_path):
    made = experiment(clustering__name="single", channels=noise(noise=1.0, visits=2))
    made = made.with_objects({"budget": Budget(simulated_s=1e9)})
    done, events = carried_out(tmp_path / "run", made)
    assert events[-1]["reason"].startswith("nobody came")
    assert done.summary["participations"] <= 120
    assert len(events) < 5000  # it does not wait, minute by minute, for thirty days


def test_a_budget_beyond_what_clients_may_give_is_refused(tmp_path):
    made = experiment(channels=noise(noise=1.0, visits=5))
    with pytest.raises(
        ConfigError, match=r"channels.visits should be >= 6, budget.participations shared by 60 clients"
    ):
        made.world()


def test_clusters_are_found_in_what_the_channel_let_through(tmp_path):
    clipped, _ = carried_out(tmp_path / "a", experiment(channels=noise()))
    noised, _ = carried_out(tmp_path / "b", experiment(channels=noise(noise=1.0)))
    lengths = [np.linalg.norm(run.tree.leaves()[0].params) for run in (clipped, noised)]
    assert lengths[1] > 3 * lengths[0]
    assert len(noised.tree.leaves()) == 2
