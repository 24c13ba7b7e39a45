"""Sections and figures as one HTML file that needs nothing else: no network, no library, and no script to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files

from accmine.report.figure import Figure, packed
from accmine.report.section import BULLET, Section

__all__ = ["page"]


@cache
def _asset(name: str) -> str:
    return files("accmine.report").joinpath("assets", name).read_text(encoding="utf-8")


def page(
    title: str,
    sections: Sequence[Section],
    figures: Mapping[str, Sequence[Figure]] | None = None,
    *,
    lead: str = "",
    hero: Sequence[Figure] = (),
    warnings: Sequence[str] = (),
) -> str:
    """Sections as an HTML page: style, script and data are inside, links to elsewhere are not.

    Parameters
    ----------
    figures
        By the key of the section that they belong to, below its table.
    lead
        The answer in a sentence, below the title; of several runs a line each.
    hero
        Figures beside one another below it.
    warnings
        What a reader has to know first.
    """
    known = figures or {}
    body = [_section(section, known.get(section.key, ())) for section in sections]
    links = [(section.key, _short(section.title)) for section in sections]
    titles = [name for _, name in links]
    nav = "".join(
        f'<a href="#{escape(key)}">{escape(name)}</a>' for i, (key, name) in enumerate(links) if name not in titles[:i]
    )
    told = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    many = " many" if "\n" in lead else ""
    top = f'<p class="lead{many}">{escape(lead)}</p>' if lead else ""
    top += f'<div class="hero">{"".join(map(_figure, hero))}</div>' if hero else ""
    top += f'<div class="warn" id="warnings" role="note"><b>Warnings</b><ul>{told}</ul></div>' if told else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>accmine: {escape(title)}</title><style>{_asset('page.css')}</style></head>\n"
        f'<body><a class="skip" href="#main">To the sections</a><header><h1>{escape(title)}</h1>{top}'
        f'<nav aria-label="Sections">{nav}</nav></header>\n<main id="main">\n'
        + "\n".join(body)
        + '\n</main><div id="tip" role="status" aria-live="polite" hidden></div>'
        + f"<script>{_asset('page.js')}</script></body></html>\n"
    )


def _short(title: str) -> str:
    """What a section is called in a list of them."""
    title = title.removeprefix("Why: ").split(":")[0].split(",")[0]
    return title[:1].upper() + title[1:]


def _section(section: Section, figures: Sequence[Figure]) -> str:
    parts = [f'<section id="{escape(section.key)}"><h2>{escape(section.title)}</h2>']
    if section.rows:
        parts.append(_table(section))
    parts += map(_figure, figures)
    items: list[str] = []
    for note in section.notes:
        if note.startswith(BULLET):
            items.append(f"<li>{escape(note.removeprefix(BULLET))}</li>")
            continue
        parts += [_list(items), f"<p>{escape(note)}</p>"]
        items = []
    texts = [
        f"<details><summary>{escape(name)} as a file</summary><pre>{escape(text)}</pre></details>"
        for name, text in section.files
    ]
    return "".join([*parts, _list(items), *texts, "</section>"])


def _figure(figure: Figure) -> str:
    """A picture with its caption, its table and its data; nothing where there is no picture."""
    if not figure.picture:
        return ""
    key = escape(figure.key)
    lanes = (
        '<div class="tools" hidden>'
        + "".join(
            f'<button type="button" data-do="{do}"{more}>{name}</button>'
            for do, name, more in (
                ("in", "zoom in", ""),
                ("out", "zoom out", ""),
                ("left", "earlier", ""),
                ("right", "later", ""),
                ("all", "all", ""),
                ("chain", "critical path only", ' aria-pressed="false"'),
            )
        )
        + "</div>"
        if figure.kind == "lanes"
        else ""
    )
    panel = f'<div class="panel" id="panel-{key}" aria-live="polite"></div>' if figure.kind else ""
    return (
        f'<figure id="fig-{key}" data-kind="{figure.kind}"><figcaption><b>{escape(figure.title)}</b> '
        f"{escape(figure.text)}</figcaption>{lanes}"
        f'<div class="view"><div class="pictures">{figure.picture}</div>{panel}</div>'
        f'<div class="data"><button type="button" data-csv="{key}" hidden>CSV</button>'
        f'<details data-table="{key}"><summary>Data of: {escape(figure.title)}</summary></details></div>'
        f'<script type="application/json" id="data-{key}">{packed(figure)}</script></figure>'
    )


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
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(section.title)}"><table><thead><tr>{head}'
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
