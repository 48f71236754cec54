"""The lesson: its tests find the solution right, what is unwritten unwritten, and each planted bug by its name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from lesson_solution import BODIES, SKELETON, solved, unwritten, written

from pellucid.errors import InputError
from pellucid.inspection.doctor import diagnose, load_stranger
from pellucid.inspection.lesson import PieceResult, check_pieces, copy_skeleton
from pellucid.inspection.lesson.checking import FILES

VIEW = "view(B, T, -1, self.head_dim).transpose(1, 2)"
ORDER = (
    "    optimizer.zero_grad()\n    step_loss.backward()",
    "    step_loss.backward()\n    optimizer.zero_grad()",
)
DRAWN = "torch.multinomial(probabilities, 1, generator=generator)"
HEADS = "MultiHeadAttention.forward"
BUGS = [  # the body, what is replaced in it, by what; the piece that must fail, a word of the cause
    ("embed", "return table[ids]", "return table[ids] * table.shape[1] ** 0.5", 1, "multiplied by √C"),
    ("embed", "return table[ids]", "table[ids]", 1, "a return is missing"),
    ("head", "weight.T", "weight.T.softmax(-1)", 1, "head(x, weight)"),
    ("head", "x @ weight.T", "(x @ weight.T).softmax(-1)", 1, "softmax is taken already"),
    ("causal_mask", ".tril()", ".triu()", 2, "wrong way round"),
    ("causal_mask", ".tril()", ".tril(1)", 2, "off by one"),
    ("causal_mask", ".tril()", ".tril(-1)", 2, "does not see itself"),
    ("causal_mask", ".tril()", "", 2, "nothing is hidden"),
    ("causal_mask", ", dtype=torch.bool", "", 2, "torch.float32; expected torch.bool"),
    ("attention", "scores.masked_fill(~mask, -math.inf)", "scores", 3, "the mask is not used"),
    ("attention", " / math.sqrt(q.shape[-1])", "", 3, "1/√D is missing"),
    ("attention", "math.sqrt(q.shape[-1])", "q.shape[-1]", 3, "divided by D"),
    ("attention", "softmax(dim=-1)", "softmax(dim=-2)", 3, "softmax runs over the queries"),
    ("attention", "softmax(dim=-1)", "softmax(dim=0)", 3, "softmax runs over the batch"),
    ("attention", "-math.inf", "0.0", 3, "hidden scores become 0"),
    ("attention", "~mask", "mask", 3, "the wrong way round: fill where it is False"),
    ("attention", "~mask", "~causal_mask(len(mask))", 3, "whatever mask is given"),
    ("attention", "k.transpose(-2, -1)", "k.transpose(1, 2)", 3, "from the end"),
    (HEADS, VIEW, "reshape(B, -1, T, self.head_dim)", 4, "wrong axis"),
    (HEADS, "mixed.transpose(1, 2)", "mixed", 4, "without transposing back"),
    (HEADS, "q, k, v = self.qkv", "k, q, v = self.qkv", 4, "queries and keys are exchanged"),
    (HEADS, "attention(q, k, v, mask)", "attention(q, k, v, torch.ones_like(mask))", 4, "the mask does not reach"),
    (HEADS, "rotate(q), rotate(k)", "q, k", 4, "`rotate` is not used"),
    (HEADS, "rotate(q), rotate(k)", "rotate(q), rotate(k); v = rotate(v)", 4, "values are turned, too"),
    (HEADS, "self.out(mixed.transpose(1, 2).reshape(B, T, C))", "mixed.transpose(1, 2).reshape(B, T, C)", 4, "`out`"),
    ("repeat_heads", "x.repeat_interleave(n_heads // x.shape[1], dim=1)", "x.repeat(1, 2, 1, 1)", 5, "take turns"),
    ("rotary", "x.shape[-2:]", "x.shape[-3], x.shape[-1]", 6, "the position is the axis before the last"),
    ("rotary", "torch.arange(T, dtype=x.dtype)", "(torch.arange(T, dtype=x.dtype) + 1)", 6, "begin at 1"),
    ("rotary", "x.chunk(2, dim=-1)", "x[..., ::2], x[..., 1::2]", 6, "rotary(x)"),
    ("rotary", "torch.arange(0, D, 2, dtype=x.dtype)", "torch.arange(D // 2)", 6, "−i / D"),
    ("RMSNorm.forward", "x / (", "(x - x.mean(-1, True)) / (x - x.mean(-1, True) - x + ", 7, "RMSNorm(x)"),
    ("RMSNorm.forward", "mean(dim=-1", "mean(dim=1", 7, "the mean runs over time"),
    ("RMSNorm.forward", "mean(dim=-1", "sum(dim=-1", 7, "summed, not averaged"),
    ("RMSNorm.forward", " * self.weight", "", 7, "`weight` is not used"),
    ("RMSNorm.forward", "(mean_square + 1e-5).sqrt()", "(mean_square.sqrt() + 1e-5)", 7, "outside the root"),
    ("RMSNorm.forward", " + 1e-5", "", 7, "1e-5 is missing"),
    ("FeedForward.forward", ".square()", "", 8, "the square is missing"),
    ("FeedForward.forward", "self.down(F.relu(self.up(x)).square())", "self.down(self.up(x))", 8, "nothing between"),
    ("Block.forward", "x = x + self.attention", "x = self.attention", 9, "residual sum is missing"),
    ("Block.forward", "self.attention(self.attention_norm(x)", "self.attention(x", 9, "Block(x)"),
    ("Block.forward", "self.feedforward(self.feedforward_norm(x))", "self.feedforward(x)", 9, "without its norm"),
    ("Block.forward", ", rotary)", ")", 9, "no `rotary`"),
    ("Model.initialise", "math.sqrt(2 * self.config.n_layers)", "1", 10, "not divided by √(2L)"),
    ("Model.initialise", '"norm" in name', '"norm" in name or name.startswith("embedding")', 10, "as torch made it"),
    ("Model.forward", "self.norm(x)", "x", 10, "the last norm is missing"),
    ("Model.forward", "in self.blocks", "in self.blocks[:1]", 10, "only the first block"),
    ("loss", ".mean()", ".sum()", 11, "take the mean"),
    ("loss", "return -", "return ", 11, "the sign is wrong"),
    ("loss", "logits.log_softmax", "logits.softmax(-1).log_softmax", 11, "twice"),
    ("loss", "logits.log_softmax(dim=-1)", "logits.softmax(dim=-1).log()", 11, "log_softmax, not the logarithm"),
    ("loss", "log_softmax(dim=-1)", "log_softmax(dim=1)", 11, "runs over time"),
    ("next_token", "logits / temperature", "logits * temperature", 12, "multiplied by the temperature"),
    ("next_token", "if top_k:", "if False:", 12, "top_k is not used"),
    ("generate", "[0, -1]", "[0, 0]", 12, "the first place"),
    ("generate", "[-model.config.context_length :]", "[-4:]", 12, "last context_length tokens"),
    ("generate", DRAWN, "probabilities.argmax()[None]", 12, "not argmax"),
    ("batch", "tokens[s + 1 : s + 1 + length]", "tokens[s : s + length]", 13, "targets are the ids themselves"),
    ("batch", "tokens[s + 1 : s + 1 + length]", "tokens[s + 2 : s + 2 + length]", 13, "targets"),
    ("train", "optimizer.zero_grad()", "pass", 13, "zero_grad before backward"),
    ("train", *ORDER, 13, "the weights stay as they are"),
    ("train", "AdamW", "SGD", 13, "it is SGD"),
]  # fmt: skip


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    copy_skeleton(tmp_path / "mine")
    return tmp_path / "mine"


def check(folder: Path, source: str) -> list[PieceResult]:
    (folder / "model.py").write_text(source, encoding="utf-8")
    return list(check_pieces(folder))


def test_the_solution_fills_every_body_of_the_skeleton():
    assert list(unwritten(SKELETON.read_text(encoding="utf-8"))) == list(BODIES)
    assert not unwritten(solved())


def test_a_solved_lesson_is_right_learns_and_beats_the_bigram(lesson: Path):
    results = check(lesson, solved())
    assert [(result.verdict, result.said) for result in results] == [("right", "")] * 14
    assert results[-1].title.startswith("all of it")


def test_the_doctor_finds_nothing_wrong_with_the_solution(lesson: Path):
    (lesson / "model.py").write_text(solved(), encoding="utf-8")
    assert diagnose(load_stranger(f"{lesson / 'model.py'}:Model")).healthy


def test_nothing_is_written_yet(lesson: Path):
    results = list(check_pieces(lesson))
    assert {result.verdict for result in results} == {"not yet"}
    assert results[0].said == "index the table with the ids"
    assert all(result.said for result in results)


def test_pieces_are_written_one_after_the_other(lesson: Path):
    """What is written is right, and the next one is not written yet, whatever the later ones are."""
    done = {}
    pieces = {"head": 1, "causal_mask": 2, "attention": 3, HEADS: 4, "rotary": 6, "RMSNorm.forward": 7,
              "FeedForward.forward": 8, "Block.forward": 9,
              "Model.forward": 10, "loss": 11, "generate": 12}  # fmt: skip
    for name, body in BODIES.items():
        if name != "repeat_heads":  # the stretch
            done[name] = body
        if name in pieces:
            verdicts = {result.number: result.verdict for result in check(lesson, written(done))}
            right = {number for number, verdict in verdicts.items() if verdict == "right"}
            assert right == set(range(1, pieces[name] + 1)) - {5}, name
            assert set(verdicts.values()) == {"right", "not yet"}


@pytest.mark.parametrize(
    ("body", "old", "new", "piece", "words"), BUGS, ids=[f"{bug[3]}-{bug[4]}" for bug in BUGS]
)
def test_a_planted_bug_is_named(lesson: Path, body: str, old: str, new: str, piece: int, words: str):
    results = check(lesson, solved(body, old, new))
    wrong = [result for result in results if result.verdict == "wrong"]
    assert [result.number for result in wrong] == [piece]
    assert words in wrong[0].said


def test_an_error_is_told_with_its_line(lesson: Path):
    result = check(lesson, solved("head", "weight.T", "weight"))[0]
    assert result.verdict == "wrong"
    assert "of model.py (`return x @ weight`): RuntimeError" in result.said


@pytest.mark.parametrize(
    ("source", "words"),
    [("def embed(:\n", "SyntaxError in line 1"), ("import nothing_of_that_name\n", "ModuleNotFoundError")],
)
def test_a_file_that_cannot_be_executed_is_told(lesson: Path, source: str, words: str):
    with pytest.raises(InputError, match=words):
        check(lesson, source)


def test_modules_of_the_same_name_are_left_alone(lesson: Path):
    before, path = dict(sys.modules), list(sys.path)
    sys.modules["model"] = stays = importlib.import_module("json")
    try:
        check(lesson, solved("loss", ".mean()", ".sum()"))
        assert sys.modules["model"] is stays and "test_model" not in sys.modules and sys.path == path
    finally:
        del sys.modules["model"]
        assert "model" not in before


def test_a_lesson_is_never_written_over(lesson: Path):
    (lesson / "model.py").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="name another folder"):
        copy_skeleton(lesson)
    assert (lesson / "model.py").read_text(encoding="utf-8") == "mine"
    assert {path.name for path in lesson.iterdir()} == set(FILES)
