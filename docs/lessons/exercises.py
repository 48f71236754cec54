"""What checks the answers of the lessons' exercises: a right one is told so, any other gets one sentence of help."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from checking import called, close, need, number, right, tensor
from torch import Tensor

from pellucid.generation.options import SamplingOptions
from pellucid.generation.sampling import next_token_distribution
from pellucid.model.accounting import n_params, parameter_counts
from pellucid.model.attention import causal_mask, explicit_attention
from pellucid.model.config import ModelConfig
from pellucid.text.template import Template, Turn
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.training.evaluation import Score
from pellucid.training.schedules import rate_multiplier


def check_text(bits_per_byte: Callable[[Sequence[float], int], float]) -> None:
    """Lesson 1: from the probabilities of what really came, to bits a byte."""
    ask = "Add up -log2(p) over all tokens, then divide by the bytes."
    found = number(bits_per_byte, [0.5] * 8, 8)
    need(not math.isclose(found, math.log(2)), "That is in nats: bits need the logarithm to base 2.")
    need(
        math.isclose(found, 1.0),
        f"Eight bytes, each guessed with probability 1/2, need 1 bit a byte, not {found:.4g}. {ask}",
    )
    found = number(bits_per_byte, [0.25, 0.5], 4)
    need(
        not math.isclose(found, 1.5), "That divides by the number of tokens. Divide by the bytes they spell."
    )
    need(
        math.isclose(found, 0.75),
        f"Tokens of 2 and 1 bits that spell 4 bytes need 0.75, not {found:.4g}. {ask}",
    )
    draw = random.Random(1)
    probabilities = [draw.uniform(0.01, 1) for _ in range(50)]
    loss = -sum(map(math.log, probabilities)) / 50
    exact = Score(loss, 50, 120).bits_per_byte
    found = number(bits_per_byte, probabilities, 120)
    need(
        math.isclose(found, exact, rel_tol=1e-6),
        f"Of 50 random tokens it is {exact:.4f}, not {found:.4f}. {ask}",
    )
    right("It is what `pellucid eval` prints.")


def check_merge(merge: Callable[[list[int], tuple[int, int], int], list[int]]) -> None:
    """Lesson 2: one step of byte-pair encoding."""
    given = [1, 2, 3, 1, 2]
    found = list(called(merge, given, (1, 2), 9))
    need(given == [1, 2, 3, 1, 2], "The list that was given is changed: make a new one.")
    need(found == [9, 3, 9], f"[1, 2, 3, 1, 2] with (1, 2) as 9 becomes [9, 3, 9], not {found}.")
    found = list(called(merge, [5, 5, 5], (5, 5), 9))
    need(found == [9, 5], f"Of three in a row the first two are merged: [9, 5], not {found}.")
    found = list(called(merge, [2, 1], (1, 2), 9))
    need(found == [2, 1], f"The order counts: [2, 1] does not hold the pair (1, 2), but {found} came back.")
    need(list(called(merge, [], (1, 2), 9)) == [], "Of no tokens there are none.")
    draw = random.Random(2)
    for _ in range(50):
        ids = [draw.randrange(3) for _ in range(20)]
        found = list(called(merge, ids, (0, 1), 9))
        spelled = [one for id in found for one in ((0, 1) if id == 9 else (id,))]
        need(spelled == ids, f"Written out again, {found} is not {ids}.")
        need((0, 1) not in itertools.pairwise(found), f"In {found} a pair was left.")
    right("Repeat it with the most frequent pair, and it is BPE.")


def check_turned(turned: Callable[[Tensor, float, float], Tensor]) -> None:
    """Lesson 3: a rotation of the plane."""
    x, y = torch.tensor([1.0, 0.0]), torch.tensor([0.3, -2.0])
    need(close(tensor(turned, (2,), x, 0, 0.7), x), "At position 0 nothing turns.")
    found = tensor(turned, (2,), x, 2, math.pi / 4)
    need(not close(found, -torch.tensor([0.0, 1.0])), "That turns clockwise: change the sign of the sines.")
    need(
        close(found, torch.tensor([0.0, 1.0])),
        f"(1, 0) at position 2 with frequency π/4 turns by a right angle to (0, 1), not {found.tolist()}.",
    )
    found = tensor(turned, (2,), y, 3, 0.5)
    need(close(found.norm(), y.norm()), "A rotation keeps the length.")
    near = tensor(turned, (2,), x, 5, 0.3) @ tensor(turned, (2,), y, 2, 0.3)
    far = tensor(turned, (2,), x, 45, 0.3) @ tensor(turned, (2,), y, 42, 0.3)
    need(close(near, far), "The score of two points that are 3 apart should be the same everywhere.")
    right("With one frequency for each pair of channels it is rotary.")


def check_attention(attention: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Lesson 4: one causal head, against the library's."""
    q, k, v = torch.randn(3, 7, 16, generator=torch.Generator().manual_seed(3))
    found = tensor(attention, (7, 16), q, k, v)
    need(
        not found.isnan().any(), "There are NaNs: a row of the scores that is -inf everywhere has no softmax."
    )
    near = {
        "The scores are not divided by √D.": explicit_attention(*_heads(q, k, v), None, scale=1.0)[0, 0],
        "Each token sees all others: mask what comes later.": (q @ k.T / 4).softmax(-1) @ v,
        "Mask before the softmax: what is zeroed after it is missing from the sum.": (
            (q @ k.T / 4).softmax(-1).tril() @ v
        ),
        "The softmax goes over the keys, the last dimension.": (
            (q @ k.T / 4).masked_fill(torch.ones(7, 7).triu(1).bool(), -math.inf).softmax(0) @ v
        ),
        "The mask is turned round: a token sees what came before.": (
            (q @ k.T / 4).masked_fill(torch.ones(7, 7).tril(-1).bool(), -math.inf).softmax(-1) @ v
        ),
    }
    for help, wrong in near.items():
        need(not close(found, wrong), help)
    exact = explicit_attention(*_heads(q, k, v), None)[0, 0]
    need(
        close(found, exact),
        "It differs from the library's, and in no way that is known here: go line by line.",
    )
    large = tensor(attention, (7, 16), 50 * q, 50 * k, v)
    exact = explicit_attention(*_heads(50 * q, 50 * k, v), None)[0, 0]
    need(
        close(large, exact),
        "With large scores it breaks: use torch.softmax, which takes the largest off first.",
    )
    right("That is the heart of a transformer.")


def _heads(*tensors: Tensor) -> list[Tensor]:
    """(T, D) as (1, 1, T, D)."""
    return [each[None, None] for each in tensors]


def check_sliding_mask(sliding_mask: Callable[[int, int, int], Tensor]) -> None:
    """Lesson 5: a causal mask with a window."""
    found = tensor(sliding_mask, (6, 6), 6, 6, 6)
    need(found.dtype == torch.bool, f"A mask is boolean, not {found.dtype}.")
    causal = causal_mask(6, 6, found.device)
    need(not found.triu(1).any(), "A token sees a later one.")
    need(torch.equal(found, causal), "A window as long as the text is the plain causal mask.")
    need(
        torch.equal(tensor(sliding_mask, (5, 5), 5, 5, 1), torch.eye(5, dtype=torch.bool)),
        "With a window of 1 a token sees itself alone.",
    )
    for n_queries, n_keys, window in ((6, 6, 3), (2, 6, 3), (1, 9, 4)):
        found = tensor(sliding_mask, (n_queries, n_keys), n_queries, n_keys, window)
        for row in range(n_queries):
            place = n_keys - n_queries + row
            wanted = [place - window < key <= place for key in range(n_keys)]
            need(
                found[row].tolist() == wanted,
                f"Of {n_keys} keys the query at place {place} with window {window} sees "
                f"{[i for i, sees in enumerate(wanted) if sees]}, not {found[row].nonzero().flatten().tolist()}.",
            )
    right("Its cache never needs more than the window.")


def check_route(route: Callable[[Tensor, int], tuple[Tensor, Tensor]]) -> None:
    """Lesson 6: which experts a token has, and how much of each."""
    scores = torch.tensor([[0.0, 3.0, 1.0, 2.0], [5.0, 4.0, -1.0, 0.0]])
    found = called(route, scores, 2)
    need(
        isinstance(found, tuple | list) and len(found) == 2,
        "Give two things back: the experts, and their weights.",
    )
    chosen, weights = found
    need(
        tuple(chosen.shape) == tuple(weights.shape) == (2, 2),
        "Both are (N, k): k experts for each of N tokens.",
    )
    need(chosen.tolist() == [[1, 3], [0, 1]], f"Chosen are [[1, 3], [0, 1]], not {chosen.tolist()}.")
    inside = scores.softmax(-1).gather(1, torch.tensor([[1, 3], [0, 1]]))
    need(
        not close(weights, inside), "The softmax goes over the chosen scores alone: these do not add up to 1."
    )
    need(close(weights.sum(-1), torch.ones(2)), "The weights of each token add up to 1.")
    need(not close(weights, inside.new_full((2, 2), 0.5)), "The better expert gets the greater weight.")
    many = torch.randn(64, 8, generator=torch.Generator().manual_seed(4))
    for k in (1, 3, 8):
        chosen, weights = called(route, many, k)
        best, where = many.topk(k)
        need(torch.equal(chosen, where), f"With k = {k} other experts are the likeliest.")
        need(
            close(weights, best.softmax(-1)),
            f"With k = {k} the weights are not the softmax of the chosen scores.",
        )
    right("That is the router of Mixtral, and of Pellucid.")


def check_rms_norm(rms_norm: Callable[[Tensor, Tensor, float], Tensor]) -> None:
    """Lesson 7: against the library's."""
    draw = torch.Generator().manual_seed(5)
    x, weight = 3 + 2 * torch.randn(2, 5, 16, generator=draw), torch.rand(16, generator=draw) + 0.5
    exact = F.rms_norm(x, (16,), weight, 1e-5)
    found = tensor(rms_norm, (2, 5, 16), x, weight, 1e-5)
    need(
        not close(found, F.layer_norm(x, (16,), weight, None, 1e-5)),
        "That is LayerNorm: RMSNorm keeps the mean.",
    )
    need(not close(found, exact / weight), "The learned weight is missing.")
    need(
        not close(found, x / x.square().sum(-1, keepdim=True).sqrt() * weight),
        "Take the mean of the squares, not their sum: the size must not hang on the number of channels.",
    )
    need(
        not close(found, x / x.square().mean().sqrt() * weight),
        "Each token by itself: over the last dimension.",
    )
    need(
        close(found, exact),
        "It differs from the library's: x / √(mean x² + eps) · weight, over the last dimension.",
    )
    still = tensor(rms_norm, (1, 16), torch.zeros(1, 16), weight, 1e-5)
    need(not still.isnan().any(), "Zeros become NaN: eps stands under the root.")
    small = torch.full((1, 16), 1e-3)
    need(
        close(tensor(rms_norm, (1, 16), small, weight, 1e-5), F.rms_norm(small, (16,), weight, 1e-5)),
        "For small numbers it differs: eps is added to the mean square, under the root.",
    )
    right("Of all parts of the model it has the fewest parameters.")


def check_count_parameters(count_parameters: Callable[[int, int, int, int, int], int]) -> None:
    """Lesson 8: the parameters of a model from its shape."""
    for V, C, L, F_, T in ((24, 32, 2, 128, 16), (65, 128, 4, 512, 128), (1000, 96, 3, 200, 64)):
        config = ModelConfig(
            vocab_size=V, d_model=C, n_layers=L, d_ff=F_, context_length=T,
            positions="rotary", norm="rmsnorm", activation="relu",
        )  # fmt: skip
        parts, exact = parameter_counts(config), n_params(config)
        off = number(count_parameters, V, C, L, F_, T) - exact
        known = {
            T * C: "Rotary positions have no table.",
            -V * C: "The embedding and the head are two matrices of V × C.",
            parts["norms"]: "RMSNorm has one number a channel.",
            -C: "There is one more norm, before the head.",
            -parts["norms"]: "The norms have parameters, too: two a block and one at the end.",
            -L * C * C: "In attention there are four matrices of C × C: queries, keys, values and out.",
            -parts["feed-forward"] // 2: "The feed-forward layer has two matrices: up and down.",
        }
        shape = f"V={V}, C={C}, L={L}, F={F_}, T={T}"
        need(
            off == 0,
            known.get(int(off), f"Of {shape} it is off by {off:,.0f}: {exact:,} are there, {parts}."),
        )
    right("`pellucid trace --preset gpt2` counts a larger one.")


def check_rate(rate: Callable[[int, int, int, float], float]) -> None:
    """Lesson 9: warm-up and a cosine, against the library's."""
    need(
        math.isclose(number(rate, 0, 100, 10, 1.0), 0.1),
        "The first of 10 warm-up steps has a tenth of the peak.",
    )
    found = number(rate, 50, 100, 10, 1.0)
    need(math.isclose(found, 0.5, abs_tol=1e-9), f"Half-way, half a cosine wave is 1/2, not {found:.4g}.")
    found = number(rate, 100, 100, 10, 1.0)
    need(math.isclose(found, 0.0, abs_tol=1e-9), f"At the end nothing is left of it, not {found:.4g}.")
    for total, warmup, peak in ((100, 10, 3e-3), (37, 5, 1.0)):
        for step in range(total):
            found = number(rate, step, total, warmup, peak)
            exact = peak * rate_multiplier("cosine", step / total, step, warmup)
            need(
                math.isclose(found, exact, rel_tol=1e-6, abs_tol=1e-12),
                f"Step {step} of {total} with {warmup} warm-up steps and a peak of {peak:g} has {exact:.4g}, "
                f"not {found:.4g}.",
            )
    right("It is `--schedule cosine`.")


def check_top_p(top_p: Callable[[Tensor, float], Tensor]) -> None:
    """Lesson 10: the nucleus, against the library's."""
    given = torch.tensor([0.1, 0.5, 0.15, 0.25])
    found = tensor(top_p, (4,), given, 0.7)
    need(not close(found, torch.tensor([0.0, 0.5, 0.0, 0.25])), "Divide what is left by its sum.")
    need(
        not close(found, torch.tensor([0.0, 1.0, 0.0, 0.0])),
        "The token with which the mass reaches p stays: of 0.5 and 0.25 both are needed for 0.7.",
    )
    need(
        close(found, torch.tensor([0.0, 2 / 3, 0.0, 1 / 3])),
        f"Of [0.1, 0.5, 0.15, 0.25] with p = 0.7 are left [0, 2/3, 0, 1/3], not {found.tolist()}.",
    )
    need(close(tensor(top_p, (4,), given, 1.0), given), "With p = 1 nothing is cut.")
    found = tensor(top_p, (4,), given, 1e-6)
    need(close(found, torch.tensor([0.0, 1.0, 0.0, 0.0])), "However small p is, the likeliest stays.")
    draw = torch.Generator().manual_seed(6)
    for p in (0.3, 0.6, 0.95):
        logits = torch.randn(50, generator=draw)
        exact = next_token_distribution(logits[None], SamplingOptions(temperature=1.0, top_p=p))[0]
        need(
            close(tensor(top_p, (50,), logits.softmax(-1), p), exact),
            f"Of 50 tokens with p = {p} it keeps others.",
        )
    right("It is `pellucid sample --top-p`.")


def check_learned(learned_tokens: Callable[[list[tuple[str, int]]], list[bool]]) -> None:
    """Lesson 11: which tokens of a conversation are learned, against the template's own answer."""
    found = list(called(learned_tokens, [("user", 1), ("assistant", 2)]))
    need(len(found) == 7, f"One token, two tokens and a frame of two around each make 7, not {len(found)}.")
    wanted = [False, False, False, False, True, True, True]
    need(found[3] != True, "The token that begins the reply is given to the model, not learned.")  # noqa: E712
    need(found[6], "The end of the reply is learned: else the model would not know when to stop.")
    need([bool(each) for each in found] == wanted, f"Wanted is {wanted}, not {found}.")
    tokenizer = CharTokenizer.from_texts(["abcdefgh"])
    template, draw = Template("markers", tokenizer), random.Random(7)
    for _ in range(20):
        roles = ["system"] * draw.randrange(2) + ["user", "assistant"] * draw.randrange(1, 4)
        turns = [(role, draw.randrange(6)) for role in roles]
        _, exact = template.encode([Turn(role, "a" * n) for role, n in turns])  # pyright: ignore
        found = list(called(learned_tokens, turns))
        need([bool(each) for each in found] == exact.tolist(), f"Of {turns} other tokens are learned.")
    right("All else is read, and not learned.")


def check_previous_token_score(previous_token_score: Callable[[Tensor], Tensor]) -> None:
    """Lesson 12: the mean weight right below the diagonal."""
    T = 6
    always = torch.zeros(T, T).diagonal_scatter(torch.ones(T - 1), -1)
    always[0, 0] = 1.0
    itself = torch.eye(T)
    even = torch.ones(T, T).tril() / torch.arange(1, T + 1)[:, None]
    found = tensor(previous_token_score, (3,), torch.stack((always, itself, even)))
    need(
        not close(found[:1], torch.tensor([(T - 1) / T])),
        "The first token has none before it: divide by T - 1.",
    )
    need(
        not close(found[1], torch.tensor(1.0)),
        "That is the weight on the token itself: take the diagonal below.",
    )
    need(
        close(found[0], torch.tensor(1.0)),
        f"One that always looks at the previous token has 1, not {found[0]:.3g}.",
    )
    need(
        close(found[1], torch.tensor(0.0)),
        f"A head that looks at the token itself has 0, not {found[1]:.3g}.",
    )
    draw = torch.randn(4, 9, 9, generator=torch.Generator().manual_seed(8)).softmax(-1)
    exact = torch.stack([torch.stack([head[t, t - 1] for t in range(1, 9)]).mean() for head in draw])
    need(close(tensor(previous_token_score, (4,), draw), exact), "Of random weights it is another mean.")
    right("Try it on every layer of a model of yours.")


def check_floor(floor: Callable[[float], float]) -> None:
    """Lesson 13: the entropy of a grammar of one choice."""
    found = number(floor, 0.5)
    need(not math.isclose(found, math.log(4) / 3), "That is in nats: bits need the logarithm to base 2.")
    need(not math.isclose(found, 1.0), "The end of a story counts as one character, too.")
    need(not math.isclose(found, 2.0), "That is bits a story: divide by the characters of a story.")
    need(
        math.isclose(found, 2 / 3, rel_tol=1e-6),
        f"With p = 0.5 it is 2/3, not {found:.4g}: one syllable is expected, so two choices of a bit each, and three "
        "characters with the end.",
    )
    draw = random.Random(9)
    for p in (0.1, 0.9):
        exact_bits = -(p * math.log2(p) + (1 - p) * math.log2(1 - p)) / (1 - p)
        exact = exact_bits / (1 + 2 * p / (1 - p))
        found = number(floor, p)
        need(math.isclose(found, exact, rel_tol=1e-6), f"With p = {p} it is {exact:.4f}, not {found:.4f}.")
        bits = characters = 0.0
        for _ in range(20_000):
            n = 0
            while draw.random() < p:
                n += 1
            bits -= n * math.log2(p) + math.log2(1 - p)
            characters += 2 * n + 1
        assert math.isclose(bits / characters, exact, rel_tol=0.05), "written out, the stories need that much"
    right("Of 20,000 such stories, written out and counted, it is the same within 5 %.")
