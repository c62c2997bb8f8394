"""Sentences in which a new word is learned; [name] is the word, [filewords] a picture's own caption."""

OWN = "captions"  # no sentences: the concept's instance prompt alone
TEMPLATES: dict[str, tuple[str, ...]] = {
    OWN: (),
    "object": (
        "a photo of [name]", "a picture of [name]", "a close view of [name]", "[name] in plain light", "a small photo "
                                                                                                       "of [name]",
        "one [name]", "[name] seen from near", "a bright photo of [name]", "a dark photo of [name]", "a clean picture "
                                                                                                     "of [name]",
        "a photo of my [name]", "a good photo of [name]", "[name], [filewords]",
    ),
    "style": (
        "a picture in the style of [name]", "a painting by [name]", "a drawing in the manner of [name]", "[name] style",
        "a small work by [name]", "a quick study in the style of [name]", "[filewords], in the style of [name]",
        "[filewords], by [name]", "a rendering in the style of [name]", "[filewords], [name] style",
    ),
}
