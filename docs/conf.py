"""How Sphinx builds the documentation: MyST pages, the furo theme, no request to anywhere."""

project = "django-shop"
author = "The django-shop maintainers"
copyright = "2026, the django-shop maintainers"
version = release = "0.1"

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = "django-shop"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_copy_source = False
html_show_sphinx = False
