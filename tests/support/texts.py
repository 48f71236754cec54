"""Texts that tokenizers are tried on."""

from hypothesis import strategies as st

from pellucid.text.tokenizers.tokenizer import RESERVED

PROSE = (
    "It was a bright cold day in April, and the clocks were striking thirteen. Don't they've 1234 naïve cafés?\n\n"
    "  Winston  Smith,\this chin nuzzled into his breast…\n漢字とかな。🙂👩‍🚀 שלום e\u0301\n"
)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.lists(
    st.sampled_from(
        [
            *RESERVED,
            "<|",
            "|>",
            " ",
            "\n",
            "\0",
            "the",
            "👩‍🚀",
            "e\u0301",
            "\r\n",
            "\u2028",
            "\x1c",
            "#",
            "##",
            "##—",
        ]
    )
).map("".join)
