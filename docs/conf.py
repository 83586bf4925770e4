"""Sphinx: the site that `make docs` builds from the pages of this folder. Nothing is fetched, no warning passes."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import horae

project, author, release = "horae", "the horae contributors", horae.__version__
copyright = "the horae contributors, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "repository", "docstrings"]

myst_heading_anchors = 4
myst_url_schemes = ["http", "https", "mailto", "repo"]  # repo: a file beside the pages, shown by `repository`
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {name: name for name in ("Arrays", "Bools", "Doubles", "Floats", "Ints", "News", "State")}
add_module_names = False  # the page says whose they are
autodoc_mock_imports = ["flwr"]
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "horae"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["horae.css"]
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # a page opened from file:// cannot fetch others
html_theme_options = {"top_of_page_buttons": []}
