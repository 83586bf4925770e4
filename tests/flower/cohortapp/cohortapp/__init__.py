"""Two planted groups: even clients go east, odd ones west."""
