"""Distributions with notifiers, as pip installs them."""


def install(folder, distribution, name, value):
    """What pip leaves of a distribution with one notifier."""
    home = folder / f"{distribution.replace('-', '_')}-1.dist-info"
    home.mkdir(parents=True)
    (home / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n")
    (home / "entry_points.txt").write_text(f"[shop_notify.notifiers]\n{name} = {value}\n")
