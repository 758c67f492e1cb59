"""The shops that are measured: ours, and the peers that it is compared with."""
