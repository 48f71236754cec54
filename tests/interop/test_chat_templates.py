"""Our chat templates as Jinja write what our own templates do."""

from __future__ import annotations

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from published import byte_level

from pellucid.interop.chat_templates import jinja, template_kind
from pellucid.text.template import NEEDED, Template, Turn, as_learned
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.text.tokenizers.imported import as_imported
from pellucid.text.tokenizers.tokenizer import RESERVED, Tokenizer, parse_tokenizer

TURNS = st.lists(
    st.builds(Turn, st.sampled_from(["system", "user", "assistant"]), st.text("ab c\n{}%'", max_size=6)),
    max_size=5,
)


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    import json

    content = json.loads(byte_level().to_str())
    imported = as_imported(content, 320, "<|endoftext|>", None, NEEDED["chatml"], "a tokenizer")
    return {
        "markers": CharTokenizer("abc {}%'\n"),
        "chatml": parse_tokenizer(json.dumps(imported).encode(), "a tokenizer"),
    }


@pytest.mark.parametrize("kind", ["markers", "chatml"])
def test_jinja_writes_the_same_conversation(kind: str, tokenizers: dict[str, Tokenizer]):
    written = jinja2.Environment().from_string(jinja(kind))
    ours = Template(kind, tokenizers[kind])

    @given(turns=TURNS, asking=st.booleans())
    def same(turns: list[Turn], asking: bool) -> None:
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        text = written.render(messages=messages, add_generation_prompt=asking)
        ids = ours.prompt(as_learned(turns)) if asking else ours.encode(as_learned(turns))[0]
        assert tokenizers[kind].decode(ids, keep_special=True) == text

    same()


def test_a_template_is_known_again():
    assert template_kind(jinja("markers"), RESERVED) == "markers"
    assert template_kind(jinja("chatml"), NEEDED["chatml"]) == "chatml"
    assert template_kind(jinja("chatml"), RESERVED) is None  # the tokenizer lacks its marks
    assert template_kind("{{ messages[0]['role'] }}<|user|><|end|>", RESERVED) is None
