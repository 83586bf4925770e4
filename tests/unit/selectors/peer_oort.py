"""FedScale's own Oort on six clients: the chances with which it draws them, for test_oort.py.

python -m venv /tmp/peer && /tmp/peer/bin/pip install 'numpy<2'
/tmp/peer/bin/pip download --no-deps fedscale==1.0 -d /tmp/peer
    unzip -d /tmp/peer/src /tmp/peer/*.whl
PYTHONPATH=/tmp/peer/src/thirdparty /tmp/peer/bin/python tests/unit/selectors/peer_oort.py
"""

from types import SimpleNamespace

CLIENTS = {  # utility, seconds, last round: all were met, and round 10 begins
    0: (1e-9, 10.0, 9), 1: (3.0, 20.0, 4), 2: (5.0, 30.0, 2), 3: (8.0, 40.0, 9), 4: (9.0, 5.0, 7), 5: (20.0, 12.0, 8),
}  # fmt: skip


def main() -> None:
    import oort.oort as peer

    args = SimpleNamespace(
        exploration_factor=0.9, exploration_decay=0.98, exploration_min=0.3, exploration_alpha=0.3, round_threshold=30,
        sample_window=5.0, pacer_step=20, pacer_delta=5, blacklist_rounds=-1, blacklist_max_len=0.3, clip_bound=0.7,
        round_penalty=2.0, cut_off_util=0.05,
    )  # fmt: skip
    selector = peer.create_training_selector(args)
    for client, (utility, seconds, last) in CLIENTS.items():
        selector.register_client(client, {"reward": 1.0, "duration": 1.0})
        selector.update_client_util(
            client, {"reward": utility, "duration": seconds, "time_stamp": last, "status": True}
        )
    drawn = {}

    def choice(clients, size, p, replace):
        drawn.update(zip(clients, p, strict=True))
        return clients[:size]

    peer.np2.random.choice = choice
    selector.getTopK(2, 10, set(CLIENTS))
    print({client: round(float(p), 6) for client, p in sorted(drawn.items())})


if __name__ == "__main__":
    main()
