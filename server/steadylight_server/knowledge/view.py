"""What of a published version is for one viewer: the fragments that are for them, each in the best locale."""

from collections.abc import Collection

from steadylight_server.knowledge.audience import Audience, Viewpoint, holding
from steadylight_server.knowledge.models import Content, Fragment, Shown, Version, fallbacks


def shown(version: Version, held: Collection[Audience], locale: str | None = None) -> Shown | None:
    """What somebody is shown for whom just the audiences `held` hold; None where that is nothing.

    Of the fragments with one id it is that with the best locale among those for them (`fallbacks`); one that is in none
    of these locales is left out.
    """
    content = version.content
    wanted = fallbacks(locale, content.locale)
    best: dict[str, Fragment] = {}
    for fragment in content.fragments:
        if fragment.audience not in held or fragment.locale not in wanted:
            continue
        other = best.get(fragment.id)
        if other is None or wanted.index(fragment.locale) < wanted.index(other.locale):
            best[fragment.id] = fragment
    if not best:
        return None
    order = list(dict.fromkeys(fragment.id for fragment in content.fragments))
    fragments = tuple(best[id] for id in order if id in best)
    return Shown(
        slug=version.article,
        version=version.number,
        title=_title(content, wanted, fragments),
        locale=locale or content.locale,
        fragments=fragments,
        updated_at=version.at,
        content=content,
    )


def shown_to(version: Version, viewpoint: Viewpoint, locale: str | None = None) -> Shown | None:
    """What that viewer is shown; None where that is nothing."""
    return shown(version, holding(viewpoint, version.content.audiences), locale)


def _title(content: Content, wanted: Collection[str], fragments: Collection[Fragment]) -> str:
    """The best of those in whose locale something is shown; a title alone would tell of what is not for them."""
    told = {content.locale, *(fragment.locale for fragment in fragments)}
    return next(content.titles[one] for one in wanted if one in told and one in content.titles)
