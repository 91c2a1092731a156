"""The site, as `make docs` builds it."""

import inspect
import os
import re
import sys
import textwrap
from pathlib import Path

import docutils.utils
from docutils import nodes
from myst_parser.parsers.sphinx_ import MystParser
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import signature, stringify_signature
from sphinx.util.nodes import make_refnode

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pages  # noqa: E402

import keras_gan  # noqa: E402

project = "keras_gan"
version = release = keras_gan.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = project
html_static_path, html_css_files = ["_static"], ["wide.css"]
html_show_copyright = html_show_sphinx = html_copy_source = False
# Browsers read no excerpts from pages that are files.
html_show_search_summary = False
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
myst_enable_extensions = ["fieldlist"]
myst_heading_anchors = 3
pages.write()

# Markdown files elsewhere in the repository that are pages, read off the pages that include them.
INCLUDED = {
    (DOCS / match[1]).resolve(): page.stem
    for page in DOCS.glob("*.md")
    if (match := re.search(r"^```{include} (\S+)", page.read_text("utf-8"), re.M))
}


class Markdown(SphinxDirective):
    """A directive whose content is Markdown, in autodoc's reStructuredText."""

    has_content = True

    def run(self):
        document = docutils.utils.new_document(self.get_source_info()[0], self.state.document.settings)
        MystParser().parse("\n".join(self.content), document)
        return document.children


def read_docstring(app, what, name, obj, options, lines):
    text = pages.markdown("\n".join(lines) + "\n")
    lines[:] = [".. markdown::", "", *textwrap.indent(text, "   ").splitlines(), ""]


def read_signature(app, what, name, obj, options, arguments, result):
    """Reads a class's arguments off `__init__`: Keras's `__new__` takes any."""
    if what == "class" and inspect.isfunction(obj.__init__):
        return stringify_signature(signature(obj.__init__, bound_method=True), show_annotation=False), None


def read_bases(app, name, obj, options, bases):
    """Shows the nearest public bases: a private one, or Keras's, has no page."""
    bases[:] = [f":py:class:`{base}`" for base in pages.bases(obj)]


def page_of(path):
    """Returns the page that shows a file of the repository, or None."""
    if path.parent == pages.ROOT / "recipes" and path.suffix == ".py":
        return f"recipes/{path.stem}"
    return path.relative_to(DOCS).with_suffix("").as_posix() if path.is_relative_to(DOCS) else INCLUDED.get(path)


def lead_to_pages(app, doctree):
    """Lets links to files lead to the pages that show them, also from included files; folders are not linked."""
    kinds = (addnodes.download_reference, addnodes.pending_xref)
    for link in [link for kind in kinds for link in doctree.findall(kind)]:
        if link["reftype"] != "myst":
            continue
        target, _, anchor = link["reftarget"].partition("#")
        if link["refdomain"] == "doc":
            if not target.startswith("/"):
                continue
            # A Markdown file outside this folder, which MyST takes for a page.
            target, anchor = f"{target}.md", link["reftargetid"]
        path = (Path(link.source).parent / target).resolve()
        if path.is_file() and (page := page_of(path)):
            place = {"refdoc": link["refdoc"], "refdomain": "doc", "reftype": "myst", "reftarget": page}
            found = addnodes.pending_xref("", *link.children, reftargetid=anchor or None, refexplicit=True, **place)
            link.replace_self(found)
        elif path.is_dir():
            link.replace_self(link.children)


def link_names(app, doctree, docname):
    """Lets public names in code font lead to the API reference."""
    objects = app.env.domains.python_domain.objects
    for name in list(doctree.findall(nodes.literal)):
        entry = objects.get(name.astext().removesuffix("()"))
        if entry and not isinstance(name.parent, nodes.reference):
            name.replace_self(make_refnode(app.builder, docname, entry.docname, entry.node_id, name.deepcopy()))


def check_reference(app, env):
    for name in set(pages.entries()) - env.domains.python_domain.objects.keys():
        logging.getLogger(__name__).warning("%s is not in the API reference", name)


def setup(app):
    app.add_directive("markdown", Markdown)
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("autodoc-process-signature", read_signature)
    app.connect("autodoc-process-bases", read_bases)
    # Before Sphinx copies what is to be downloaded.
    app.connect("doctree-read", lead_to_pages, priority=100)
    app.connect("doctree-resolved", link_names)
    app.connect("env-check-consistency", check_reference)
