"""The ready-made sets: each a question about one choice, asked of a small model.

All share BASE where they do not say otherwise, so that contenders differ in what is asked about and in nothing else.
"""

from __future__ import annotations

from typing import Any

from pellucid.inspection.compare.contender import BASE, Comparison, Contender, Extra
from pellucid.inspection.compare.measures.epochs import EPOCHS
from pellucid.inspection.compare.measures.genres import BOOK, GENRES
from pellucid.inspection.compare.measures.gradients import GRADIENTS
from pellucid.inspection.compare.measures.length import LENGTH
from pellucid.inspection.compare.measures.mask import MASK
from pellucid.inspection.compare.measures.projections import PROJECTIONS

CLASSIC = {"positions": "learned", "norm": "layernorm", "activation": "relu"}
# with the usual norm_eps of 1e-5 the norms of so deep a model without residuals would do nothing against what the small
# initial weights make of its signal: it would vanish in the first few layers, and the gradient with it
THIN = {"n_layers": 12, "n_heads": 2, "d_model": 32, "norm_eps": 1e-12}
WORDS = {"tokenizer": "bpe", "vocab_size": 1024}


def _set(
    name: str,
    about: str,
    *contenders: Contender,
    common: dict[str, Any] | None = None,
    extra: Extra | None = None,
    **more: Any,
) -> Comparison:
    return Comparison(name, about, contenders, {**BASE, **(common or {})}, extra=extra, **more)


def _c(name: str, says: str, **settings: Any) -> Contender:
    return Contender(name, says, settings)


# fmt: off
SETS = (
    _set("heads", "Who shares keys and values: nobody, pairs of heads, or all; what the smaller cache costs.",
         _c("mha", "Multi-head attention: each of four heads has its own keys and values.", n_kv_heads=4),
         _c("gqa", "Grouped-query attention: two heads share theirs, half the cache.", n_kv_heads=2),
         _c("mqa", "Multi-query attention: all share one, a quarter of the cache.", n_kv_heads=1)),
    _set("n-heads", "Into how many heads the same channels are divided.",
         _c("1-head", "One head of 64 channels.", n_heads=1), _c("2-heads", "Two of 32.", n_heads=2),
         _c("4-heads", "Four of 16.", n_heads=4), _c("8-heads", "Eight of 8.", n_heads=8)),
    _set("norm-place", "The norm before each part, or after each sum, in eight layers.",
         _c("pre", "The residual stream passes through untouched.", norm_position="pre"),
         _c("post", "As in the first transformer: the stream itself is normed, and gradients with it.",
            norm_position="post"),
         common={**CLASSIC, "n_layers": 8}, steps=400),
    _set("norms", "What keeps the channels at one scale, or nothing.",
         _c("layernorm", "Mean and variance; a scale and a shift a channel.", norm="layernorm"),
         _c("rmsnorm", "The root mean square alone; a scale a channel.", norm="rmsnorm"),
         _c("rmsnorm-fixed", "The same, with nothing to learn.", norm="rmsnorm_fixed"),
         _c("no-norm", "Nothing.", norm="none")),
    _set("activations", "The feed-forward part's nonlinearity, at about the same number of parameters.",
         _c("relu", "Negative channels become 0.", activation="relu"),
         _c("gelu", "The same, rounded off.", activation="gelu"),
         _c("relu2", "ReLU squared.", activation="relu2"),
         _c("swiglu", "Channels gated by others: three matrices of two thirds the width.", activation="swiglu")),
    _set("positions", "How a model knows where a token stands, or does not.",
         _c("learned", "A trained vector a place.", positions="learned"),
         _c("sinusoidal", "Waves, added.", positions="sinusoidal"),
         _c("rotary", "Queries and keys turned by their places.", positions="rotary"),
         _c("no-positions", "Nothing but what the causal mask betrays.", positions="none")),
    _set("length", "Loss by place in the window, up to four times the trained length, for each kind of position.",
         _c("learned", "Places beyond the trained ones have vectors that no step has touched.", positions="learned"),
         _c("sinusoidal", "Waves go on, and the model has never seen them there.", positions="sinusoidal"),
         _c("rotary", "Angles go on, too.", positions="rotary"),
         _c("no-positions", "There is nothing to be beyond of, but more keys to attend to.", positions="none"),
         common={"context_length": 256, "window": 64}, extra=LENGTH),
    _set("tying", "One table for tokens in and out, or two, with a vocabulary of 1,024.",
         _c("untied", "Two tables.", tie_embeddings=False), _c("tied", "One, half the parameters of both.",
                                                               tie_embeddings=True), common=WORDS),
    _set("tokenizers", "How the text is cut, in bits a byte; at equal steps a longer token is more text read.",
         _c("characters", "A token a character.", tokenizer="char"),
         _c("bpe", "Byte-level BPE of 1,024 tokens.", tokenizer="bpe", vocab_size=1024),
         _c("wordpiece", "WordPiece of 1,024 tokens.", tokenizer="wordpiece", vocab_size=1024)),
    _set("vocabulary", "How many tokens BPE has, in bits a byte; at equal steps a longer token is more text read.",
         _c("bpe-512", "Little more than bytes.", vocab_size=512), _c("bpe-1024", "Pieces of words.", vocab_size=1024),
         _c("bpe-4096", "Most words; and most of the parameters are tables.", vocab_size=4096),
         common={"tokenizer": "bpe"}),
    _set("warmup", "A learning rate that rises over a tenth of the run, or begins at its peak, where it matters (a "
         "peak four times the usual one, in eight layers) and where it does not (the usual peak).",
         _c("high, warm-up", "The rate rises to 0.012.", lr=1.2e-2, warmup_steps=40),
         _c("high, none", "It begins there.", lr=1.2e-2, warmup_steps=0),
         _c("usual, warm-up", "It rises to 0.003.", lr=3e-3, warmup_steps=40),
         Contender("usual, none", "It begins there.", {"lr": 3e-3, "warmup_steps": 0}, against="usual, warm-up"),
         common={**CLASSIC, "n_layers": 8}, steps=400),
    _set("clipping", "Gradients no longer than 1, or as they come, at three times the usual rate.",
         _c("clipped", "The norm of all gradients is at most 1.", clip=1.0),
         _c("unclipped", "As they come.", clip=0.0), common={"lr": 1e-2}),
    _set("scale", "Scores divided by the root of the head size, or not; queries and keys are of unit size (QK-norm).",
         _c("scaled", "Scores of unit size: attention begins spread out.", scale="sqrt"),
         _c("unscaled", "Eight times as large, with heads of 64: attention is sure from the start.", scale="none"),
         common={"n_heads": 2, "d_model": 128, "qk_norm": True}, steps=400),
    _set("final-norm", "A norm between the last block and the output, or none.",
         _c("final-norm", "The head reads at one scale.", final_norm=True),
         _c("no-final-norm", "It reads the stream as it is.", final_norm=False)),
    _set("residuals", "Twelve thin layers that add to a stream, or replace it; and the gradient's size by layer.",
         _c("residuals", "Each part adds.", residual="add"), _c("no-residuals", "Each part replaces.", residual="none"),
         common=THIN, steps=400, extra=GRADIENTS),
    _set("mask", "Training without the causal mask: the loss falls to almost nothing, and the model has learned to "
         "look at the answer. Scores are left to right.",
         _c("causal", "A token sees those before it.", mask="causal"),
         _c("no-mask", "It sees the answer, too.", mask="none"), extra=MASK),
    _set("qkv", "One matrix for queries, keys and values, or three: equal values, and both timed.",
         _c("fused", "A model to take the matrices from."), extra=PROJECTIONS, steps=50, seeds=1),
    _set("context", "How far back a model sees, at equal tokens a step.",
         _c("16-tokens", "Two or three words.", context_length=16, batch_size=64),
         _c("64-tokens", "A line.", context_length=64, batch_size=16),
         _c("256-tokens", "Five lines.", context_length=256, batch_size=4)),
    _set("genres", "One book against eleven, at equal tokens: scores on the held-out parts of that book and of the "
         "others.",
         Contender("all-books", "Eleven books, of each a part.", {}),
         Contender("one-book", "The second of them alone: Frankenstein.", {}, documents=(BOOK,)),
         text="gutenberg-course", extra=GENRES),
    _set("epochs", "The same number of tokens, of a text that is ever shorter and read ever more often.",
         Contender("once", "All of it new.", {}, times=1), Contender("4-times", "A quarter of it.", {}, times=4),
         Contender("16-times", "A sixteenth.", {}, times=16), Contender("64-times", "A sixty-fourth.", {}, times=64),
         Contender("64-times, dropout", "The same, with a fifth of the activations dropped.", {"dropout": 0.2},
                   against="64-times", times=64), extra=EPOCHS),
)
# fmt: on
