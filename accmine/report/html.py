"""Sections as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from accmine.errors import InputError
from accmine.report.section import BULLET, Section

__all__ = ["page"]

_STYLE = """
:root{color-scheme:light dark;--fg:#1c1e21;--bg:#fff;--soft:#5d646d;--line:#d8dce1;--mark:#fff4d6;--link:#0b57a4;
--c0:#4a94d8;--c1:#9ad0ee;--c2:#009e73;--c3:#e69f00;--c4:#cc79a7;--c5:#a9afb6;--in:#000}
@media (prefers-color-scheme:dark){:root{--fg:#e6e8eb;--bg:#16181b;--soft:#a0a7b0;--line:#363b42;--mark:#3c3312;
--link:#7db8f0}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:1100px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2.2rem 0 .4rem}
nav{color:var(--soft);margin:.6rem 0 0}nav a{color:var(--link);text-decoration:none;margin-right:.8rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.25rem .9rem .25rem 0;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600}.n{text-align:right;white-space:nowrap}
td.w{overflow-wrap:anywhere;min-width:3rem}tr.marked td{background:var(--mark)}
p,ul{margin:.5rem 0;max-width:62rem}pre{overflow-x:auto;background:var(--line);padding:.6rem;border-radius:4px}
.chart{max-width:100%;height:auto;margin:.7rem 0;font:12px system-ui,sans-serif;display:block}
.chart text{fill:var(--fg)}.chart text.in{fill:var(--in)}.axis{stroke:var(--line)}
.c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}.c4{fill:var(--c4)}.c5{fill:var(--c5)}
.objective{fill:none;stroke:var(--c0);stroke-width:2}
.bound{fill:none;stroke:var(--c3);stroke-width:2;stroke-dasharray:5 3}
.given{background:#fff;padding:.5rem;overflow-x:auto}.given svg{max-width:100%;height:auto}
"""


def page(
    title: str,
    sections: Sequence[Section],
    charts: Mapping[str, str] | None = None,
    drawings: Mapping[str, str] | None = None,
) -> str:
    """Sections as an HTML page: style and charts are inside, scripts and links to elsewhere are not.

    Parameters
    ----------
    charts
        SVG by the key of the section that it belongs to, below the table; of ``accmine.report.charts.svg``.
    drawings
        SVG by title, each in a section of its own behind the others, e.g. a Gantt chart saved as SVG. They are put in
        as they are, so they have to come from a trusted source.

    Raises
    ------
    InputError
        If a drawing holds no ``<svg`` element.
    """
    body = [_section(section, (charts or {}).get(section.key, "")) for section in sections]
    links = [(section.key, section.title.split(":")[0].split(",")[0]) for section in sections[1:]]
    for name, svg in (drawings or {}).items():
        key = escape(name.lower().replace(" ", "-"))
        body.append(f'<section id="{key}"><h2>{escape(name)}</h2><div class="given">{_element(svg)}</div></section>')
        links.append((key, name))
    titles = [name for _, name in links]
    nav = "".join(
        f'<a href="#{key}">{escape(name)}</a>' for i, (key, name) in enumerate(links) if name not in titles[:i]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>accmine: {escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><header><h1>{escape(title)}</h1><nav>{nav}</nav></header>\n<main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def _element(svg: str) -> str:
    """Without the XML prologue, which names a DTD at another site and has no place inside HTML."""
    start = svg.find("<svg")
    if start < 0:
        raise InputError("svg holds no <svg element", field="svg")
    return svg[start:]


def _section(section: Section, chart: str) -> str:
    parts = [f'<section id="{escape(section.key)}"><h2>{escape(section.title)}</h2>']
    if section.rows:
        parts.append(_table(section))
    parts.append(chart)
    items: list[str] = []
    for note in section.notes:
        if note.startswith(BULLET):
            items.append(f"<li>{escape(note.removeprefix(BULLET))}</li>")
            continue
        parts += [_list(items), f"<p>{escape(note)}</p>"]
        items = []
    files = [
        f"<details><summary>{escape(name)} as a file</summary><pre>{escape(text)}</pre></details>"
        for name, text in section.files
    ]
    return "".join([*parts, _list(items), *files, "</section>"])


def _list(items: list[str]) -> str:
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _table(section: Section) -> str:
    kinds = ["n" if column.numeric else "w" for column in section.columns]
    head = "".join(
        f'<th scope="col" class="{kind}">{escape(column.title)}</th>'
        for kind, column in zip(kinds, section.columns, strict=True)
    )
    rows = []
    for index, row in enumerate(section.rows):
        cells = "".join(f'<td class="{kind}">{escape(cell)}</td>' for kind, cell in zip(kinds, row, strict=True))
        rows.append(f"{'<tr class=marked>' if index in section.marked else '<tr>'}{cells}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
