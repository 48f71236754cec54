"""What `pellucid lesson check` asks of model.py, piece by piece: the parts together, after test_parts.py."""

from __future__ import annotations

import copy
import math

import model as mine
import test_parts as parts
import torch
import torch.nn.functional as F
from test_parts import SMALL, TRIANGLE, randomised
from torch import Tensor

from pellucid.generation.options import SamplingOptions
from pellucid.generation.sampling import next_token_distribution
from pellucid.inspection.lesson.judging import Wrong, numbers, reference, same, tales
from pellucid.model import attention as theirs
from pellucid.model.positions import RotaryPositions, leave
from pellucid.model.transformer import next_token_loss


def block_with(block: mine.Block, x: Tensor, bug: str) -> Tensor:
    """A block with one bug, of the block's own parts."""
    first, second = block.attention_norm, block.feedforward_norm
    look = lambda x: block.attention(x, TRIANGLE, leave if bug == "positions" else mine.rotary)  # noqa: E731
    think = block.feedforward
    if bug == "post":
        x = first(x + look(x))
        return second(x + think(x))
    if bug == "parallel":
        return x + look(first(x)) + think(second(x))
    x = look(first(x)) + (0 if bug == "no first sum" else first(x) if bug == "normed first" else x)
    inner = first(x) if bug == "one norm" else x if bug == "no second norm" else second(x)
    return think(inner) + (0 if bug == "no second sum" else second(x) if bug == "normed second" else x)


class TestBlock:
    """Block"""

    needs = (parts.TestMultiHead, parts.TestRotary, parts.TestNorm, parts.TestFeedForward)

    def test_against_pellucid(self):
        x, block = numbers(2, 7, 24, seed=9), randomised(mine.Block(SMALL))
        turn = RotaryPositions(reference(mine.Model, SMALL).config).rotation(torch.arange(7))
        bugs = {
            "no first sum": "x is not added to what attention gives: the residual sum is missing",
            "no second sum": "x is not added to what feedforward gives: the residual sum is missing",
            "normed first": "the normed x is added to what attention gives: add x itself",
            "normed second": "the normed x is added to what feedforward gives: add x itself",
            "post": "the norms come after the sums: each comes before its part",
            "parallel": "feedforward reads the x of the beginning: it reads what attention was added to",
            "one norm": "attention_norm is used twice: feedforward has its own",
            "no second norm": "feedforward reads x without its norm",
            "positions": "attention gets no `rotary`, so that tokens do not know where they stand",
        }
        suspects = {said: block_with(block, x, bug) for bug, said in bugs.items()}
        same("Block(x)", block(x, TRIANGLE), reference(block, SMALL)(x, theirs.Shared(x, turn)), suspects)


class TestModel:
    """Model: initialise and forward"""

    needs = (parts.TestTokens, TestBlock)

    def test_initialise(self):
        torch.manual_seed(0)
        config = mine.Config(vocab_size=200, n_layers=4, d_model=64, d_ff=256)
        for name, weight in mine.Model(config).named_parameters():
            if weight.dim() == 1:
                same(name, weight, torch.ones_like(weight), hint="norms keep their weights of 1")
                continue
            expected = 0.02 / math.sqrt(8) if name.endswith(("out.weight", "down.weight")) else 0.02
            spread, mean = weight.std().item(), weight.mean().item()
            if abs(spread / expected - 1) > 0.1 or abs(mean) > 0.1 * expected:
                cause = "check the mean of 0 and the names"
                if abs(spread - 0.02) < 0.002:
                    cause = "it is not divided by √(2L), as `out` and `down` are"
                elif abs(spread / expected * math.sqrt(2) - 1) < 0.1:
                    cause = "it is divided by √L: 2L sums go into the stream"
                elif name.startswith("embedding") and abs(spread - 1) < 0.1:
                    cause = "it is as torch made it: initialise every matrix, the embedding too"
                raise Wrong(
                    f"{name} has mean {mean:.4f} and standard deviation {spread:.4f}",
                    f"mean 0 and {expected:.4f} for L = 4",
                    cause,
                )

    def test_against_pellucid(self):
        model, ids = randomised(mine.Model(SMALL)), torch.randint(11, (2, 7))
        x = streams = F.embedding(ids, model.embedding.weight)
        for block in model.blocks:
            streams = block(streams, TRIANGLE)
        out = model.head.weight
        suspects = {
            "the last norm is missing": streams @ out.T,
            "only the first block is used": model.norm(model.blocks[0](x, TRIANGLE)) @ out.T,
            "the blocks come in the wrong order": model.norm(
                model.blocks[0](model.blocks[1](x, TRIANGLE), TRIANGLE)
            )
            @ out.T,
            "the blocks are not used": model.norm(x) @ out.T,
            "softmax is taken: the model gives logits": (model.norm(streams) @ out.T).softmax(-1),
            "the embedding is used as the head": model.norm(streams) @ model.embedding.weight.T,
        }
        same("Model(ids)", model(ids), reference(model, SMALL)(ids), suspects)

    def test_no_token_sees_a_later_one(self):
        model, ids = randomised(mine.Model(SMALL)), torch.randint(11, (1, 7))
        changed = torch.cat((ids[:, :-1], (ids[:, -1:] + 1) % 11), dim=1)
        hint = "the causal mask does not reach every block"
        same("logits before a token that is changed", model(changed)[:, :-1], model(ids)[:, :-1], hint=hint)


class TestLoss:
    """loss"""

    def test_against_pellucid(self):
        logits, targets = 3 * numbers(2, 7, 11), torch.randint(11, (2, 7))
        expected = next_token_loss(logits, targets)
        early = next_token_loss(logits[:, :-1], targets[:, 1:])
        suspects = {
            "it is the sum over all tokens: take the mean": expected * 14,
            "it is in bits: take the natural logarithm": expected / math.log(2),
            "the sign is wrong: −ln p is positive": -expected,
            "the targets are shifted: they are the next tokens already": early,
            "the softmax is taken twice (cross_entropy takes it of logits)": next_token_loss(
                logits.softmax(-1), targets
            ),
            "the softmax runs over time: it must run over the vocabulary, the last axis": (
                -logits.log_softmax(1).gather(-1, targets[..., None]).mean()
            ),
            "it is the sum of the batch over its rows: take the mean over rows and time": expected * 7,
        }
        same("loss(logits, targets)", mine.loss(logits, targets), expected, suspects)

    def test_large_logits(self):
        logits, targets = 1e4 * numbers(2, 7, 11), torch.randint(11, (2, 7))
        hint = "exp of large logits is infinite: take log_softmax, not the logarithm of a softmax"
        same("loss of large logits", mine.loss(logits, targets), next_token_loss(logits, targets), hint=hint)


class TestWords:
    """next_token and generate"""

    needs = (TestModel,)

    def test_next_token(self):
        logits = 2 * numbers(11)
        top = logits.topk(3).values[-1]
        cold = torch.where(logits >= top, (logits / 0.5).softmax(-1), 0)
        for temperature, k in ((1.0, 0), (0.5, 0), (0.5, 3), (0.5, 20), (0.0, 0)):
            options = SamplingOptions(temperature=temperature, top_k=k)
            expected = next_token_distribution(logits[None], options)[0]
            suspects = {
                "it is multiplied by the temperature: divide": (logits * max(temperature, 1e-9)).softmax(-1),
                "temperature is not used": logits.softmax(-1),
                "top_k is not used": (logits / max(temperature, 1e-9)).softmax(-1),
                "what is cut takes its share: cut before the softmax, so that the rest sums to 1": cold,
                "the k unlikeliest are kept": (logits / 0.5)
                .masked_fill(logits > logits.sort().values[2], -math.inf)
                .softmax(-1),
            }
            given = mine.next_token(logits, temperature, k)
            same(f"next_token(logits, temperature={temperature:g}, top_k={k})", given, expected, suspects)

    def test_generate(self):
        model = randomised(mine.Model(SMALL))
        start = torch.randint(11, (3,))
        written = mine.generate(model, start, 20, torch.Generator().manual_seed(0), temperature=0.0)
        same(
            "the beginning of what generate gives",
            written[:3],
            start,
            hint="it gives the ids it was given, and more",
        )
        ids = first = start
        with torch.no_grad():
            for _ in range(20):
                ids = torch.cat((ids, reference(model, SMALL)(ids[None, -16:])[0, -1].argmax()[None]))
                first = torch.cat((first, model(first[None, -16:])[0, 0].argmax()[None]))
        suspects = {"the logits of the first place are taken: the last one tells the next token": first}
        hint = "read the last context_length tokens, take the logits of the last place, append one token at a time"
        same("20 tokens at temperature 0", written, ids, suspects, hint)

    def test_generate_draws(self):
        model, start = randomised(mine.Model(SMALL)), torch.randint(11, (3,))
        draw = lambda seed: mine.generate(model, start, 12, torch.Generator().manual_seed(seed), 2.0)  # noqa: E731
        same("the same seed twice", draw(1), draw(1), hint="give `generator` to torch.multinomial")
        if all(torch.equal(draw(1), draw(seed)) for seed in (2, 3, 4)):
            raise Wrong(
                "four seeds write the same", "texts that differ", "draw with torch.multinomial, not argmax"
            )


class TestLearning:
    """batch and train"""

    needs = (TestModel, TestLoss)

    def test_batch(self):
        tokens = torch.arange(100, 140)
        ids, targets = mine.batch(tokens, 5, 8, torch.Generator().manual_seed(0))
        starts = torch.randint(40 - 8, (5,), generator=torch.Generator().manual_seed(0))
        windows = tokens[starts[:, None] + torch.arange(8)]
        hint = (
            "one torch.randint(N − length, (size,), generator=generator), and length tokens from each start"
        )
        same("the ids of batch", ids, windows, hint=hint)
        suspects = {
            "targets are the ids themselves: each is the token after": windows,
            "targets are shifted twice: each is the very next token": windows + 2,
            "targets are the tokens before": windows - 1,
        }
        same("the targets of batch", targets, windows + 1, suspects)

    def test_train(self):
        start, tokens = mine.Model(SMALL), torch.randint(11, (200,))
        model = copy.deepcopy(start)
        given = mine.train(model, tokens, 5, torch.Generator().manual_seed(0), size=4, lr=0.01)
        if not isinstance(given, list) or len(given) != 5:
            raise Wrong(
                f"train(…, 5 steps) gives {given!r}", "a list of 5 losses", "append the loss of each step"
            )
        expected = self.losses(start, tokens)
        suspects = {
            "the gradients of earlier steps are still there: call zero_grad before backward": self.losses(
                start, tokens, "kept"
            ),
            "the weights stay as they are: the order is zero_grad, backward, step": self.losses(
                start, tokens, "none"
            ),
            "it is SGD: take torch.optim.AdamW": self.losses(start, tokens, "sgd"),
        }
        hint = "one batch a step, drawn with `generator`; AdamW with lr and nothing else"
        losses = torch.tensor([float(loss) for loss in given])
        same("the losses of 5 steps", losses, expected, suspects, hint, tolerance=1e-4)

    def losses(self, start: mine.Model, tokens: Tensor, bug: str = "") -> Tensor:
        """What five steps give, done right or with one bug."""
        model, generator = copy.deepcopy(start), torch.Generator().manual_seed(0)
        kind = torch.optim.SGD if bug == "sgd" else torch.optim.AdamW
        optimizer, losses = kind(model.parameters(), lr=0.01), []
        for _ in range(5):
            ids, targets = mine.batch(tokens, 4, model.config.context_length, generator)
            losses.append(mine.loss(model(ids), targets))
            if bug != "kept":
                optimizer.zero_grad()
            losses[-1].backward()
            if bug != "none":
                optimizer.step()
        return torch.stack(losses).detach()


class TestItLearns:
    """all of it: learn tales, and beat the bigram"""

    needs = (TestWords, TestLearning)

    def test_it_beats_the_bigram(self):
        tokens, held_out, vocab_size = tales(300)
        counts = torch.ones(vocab_size, vocab_size).index_put_(
            (tokens[:-1], tokens[1:]), torch.tensor(1.0), accumulate=True
        )
        chances = (counts / counts.sum(1, keepdim=True)).log()
        bigram = -chances[held_out[:-1], held_out[1:]].mean().item()
        torch.manual_seed(0)
        model = mine.Model(mine.Config(vocab_size=vocab_size))
        mine.train(model, tokens, 100, torch.Generator().manual_seed(0))
        windows = held_out[: len(held_out) // 65 * 65].view(-1, 65)
        with torch.no_grad():
            reached = mine.loss(model(windows[:, :-1]), windows[:, 1:]).item()
        if reached > bigram - 0.1:
            raise Wrong(
                f"after 100 steps {reached:.3f} nats a character of tales that it did not see",
                f"well below the {bigram:.3f} of a counted bigram",
                "did you change a piece since it was right?",
            )
