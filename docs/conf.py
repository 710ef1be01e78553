"""How Sphinx builds the site; `make docs` turns each warning, a broken link too, into an error."""

project = "bidsloom"
author = "The bidsloom developers"
html_title = "bidsloom"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
# Headings down to this level can be linked to, under the names that GitHub gives them.
myst_heading_anchors = 4

# Everything that the page needs is in the theme itself: no font or script of another host.
html_theme = "furo"
html_theme_options = {"navigation_with_keys": True}
html_copy_source = False
html_show_sourcelink = False
