"""The lesson's bodies as a learner who has understood it writes them; a bug is planted by replacing a line."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pellucid.inspection.lesson

SKELETON = Path(pellucid.inspection.lesson.__file__).parent / "skeleton" / "model.py"

BODIES = {
    "embed": "return table[ids]",
    "head": "return x @ weight.T",
    "causal_mask": "return torch.ones(n_tokens, n_tokens, dtype=torch.bool).tril()",
    "attention": """
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(~mask, -math.inf)
        weights = scores.softmax(dim=-1)
        return weights @ v
        """,
    "repeat_heads": "return x.repeat_interleave(n_heads // x.shape[1], dim=1)",
    "MultiHeadAttention.forward": """
        B, T, C = x.shape
        sizes = [n * self.head_dim for n in (self.n_heads, self.n_kv_heads, self.n_kv_heads)]
        q, k, v = self.qkv(x).split(sizes, dim=-1)
        q, k, v = (part.view(B, T, -1, self.head_dim).transpose(1, 2) for part in (q, k, v))
        q, k = rotate(q), rotate(k)
        if self.n_kv_heads < self.n_heads:
            k, v = repeat_heads(k, self.n_heads), repeat_heads(v, self.n_heads)
        mixed = attention(q, k, v, mask)
        return self.out(mixed.transpose(1, 2).reshape(B, T, C))
        """,
    "rotary": """
        T, D = x.shape[-2:]
        rates = base ** (-torch.arange(0, D, 2, dtype=x.dtype) / D)
        angles = torch.arange(T, dtype=x.dtype)[:, None] * rates
        a, b = x.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)
        """,
    "RMSNorm.forward": """
        mean_square = x.square().mean(dim=-1, keepdim=True)
        return x / (mean_square + 1e-5).sqrt() * self.weight
        """,
    "FeedForward.forward": "return self.down(F.relu(self.up(x)).square())",
    "Block.forward": """
        x = x + self.attention(self.attention_norm(x), mask, rotary)
        return x + self.feedforward(self.feedforward_norm(x))
        """,
    "Model.initialise": """
        for name, weight in self.named_parameters():
            if "norm" in name:
                continue
            residual = name.endswith(("out.weight", "down.weight"))
            nn.init.normal_(weight, std=0.02 / (math.sqrt(2 * self.config.n_layers) if residual else 1))
        """,
    "Model.forward": """
        mask = causal_mask(ids.shape[1])
        x = embed(ids, self.embedding.weight)
        for block in self.blocks:
            x = block(x, mask)
        return head(self.norm(x), self.head.weight)
        """,
    "loss": "return -logits.log_softmax(dim=-1).gather(-1, targets[..., None]).mean()",
    "next_token": """
        if temperature == 0:
            return F.one_hot(logits.argmax(), len(logits)).to(logits.dtype)
        if top_k:
            least = logits.topk(min(top_k, len(logits))).values[-1]
            logits = logits.masked_fill(logits < least, -math.inf)
        return (logits / temperature).softmax(dim=-1)
        """,
    "generate": """
        with torch.no_grad():
            for _ in range(n_tokens):
                seen = ids[-model.config.context_length :]
                probabilities = next_token(model(seen[None])[0, -1], temperature, top_k)
                ids = torch.cat((ids, torch.multinomial(probabilities, 1, generator=generator)))
        return ids
        """,
    "batch": """
        starts = torch.randint(len(tokens) - length, (size,), generator=generator)
        ids = torch.stack([tokens[s : s + length] for s in starts])
        targets = torch.stack([tokens[s + 1 : s + 1 + length] for s in starts])
        return ids, targets
        """,
    "train": """
        optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
        losses = []
        for _ in range(steps):
            ids, targets = batch(tokens, size, model.config.context_length, generator)
            step_loss = loss(model(ids), targets)
            optimizer.zero_grad()
            step_loss.backward()
            optimizer.step()
            losses.append(step_loss.item())
        return losses
        """,
}


def unwritten(source: str) -> dict[str, ast.Raise]:
    """The bodies of a source that are still to be written, by their names, in their order."""
    found = dict[str, ast.Raise]()
    for node in ast.parse(source).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for function in inner:
            if isinstance(function, ast.FunctionDef) and isinstance(function.body[-1], ast.Raise):
                found[prefix + function.name] = function.body[-1]
    return found


def written(bodies: dict[str, str]) -> str:
    """The skeleton with these of its bodies filled in."""
    source = SKELETON.read_text(encoding="utf-8")
    lines = source.splitlines()
    for name, node in reversed(unwritten(source).items()):
        if name in bodies:
            body = textwrap.indent(textwrap.dedent(bodies[name]).strip("\n"), " " * node.col_offset)
            lines[node.lineno - 1 : node.end_lineno] = body.splitlines()
    return "\n".join(lines) + "\n"


def solved(name: str = "", old: str = "", new: str = "") -> str:
    """The whole lesson solved; with a name, `old` in that body replaced by `new`."""
    bodies = {key: textwrap.dedent(body).strip("\n") for key, body in BODIES.items()}
    if name:
        assert old in bodies[name], (name, old)
        bodies[name] = bodies[name].replace(old, new)
    return written(bodies)
