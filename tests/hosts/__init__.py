"""One site of each kind that the packages meet: small settings over one project, driven by the same story."""
