"""Tests of the recipe: python3 -m unittest discover bundled/training"""

import contextlib
import gzip
import io
import struct
import tempfile
import unittest
from pathlib import Path

import numpy as np

import bpe
import build
import gguf
import plain_text

try:
    import torch
    import model
    import train
except ModuleNotFoundError as error:
    torch = None
    WITHOUT_TORCH = str(error)
else:
    WITHOUT_TORCH = ""


class PlainText(unittest.TestCase):
    """The conversion of pages to plain text."""

    def test_a_man_page_loses_its_macros_and_fonts(self):
        """Title, heading, item and text stay."""
        page = ('.\\" a comment\n.TH LS "1" 2022\n.SH "NAME"\n'
                'ls \\- \\fBlist\\fR\n.IP "a)" 4\n.B \\-a\n.nf\n')
        self.assertEqual(plain_text.from_man(page),
                         'LS(1)\n\n\nNAME\nls - list\n\na)" 4\n-a\n')

    def test_a_page_of_html_loses_scripts_and_tags(self):
        """Blocks become lines, entities become characters."""
        page = "<head>no</head><p>a &lt; <b>b</b></p><script>no</script>"
        self.assertEqual(plain_text.from_html(page), "\na < b\n")


class Build(unittest.TestCase):
    """Documents out of unpacked packages."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.packages = Path(folder.name)

    def put(self, path, text):
        """A gzipped file under the packages."""
        path = self.packages / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()))

    def collected(self):
        """Returns what build.collect() finds; its messages are dropped."""
        with contextlib.redirect_stderr(io.StringIO()):
            return build.collect(self.packages)

    def test_short_pages_and_twins_are_left_out(self):
        """Of four pages two stay, in the order of their paths."""
        man = "manpages/usr/share/man/man1/"
        self.put(man + "a.1.gz", "one " * 100)
        self.put(man + "b.1.gz", "two " * 100)
        self.put(man + "c.1.gz", "one " * 100)
        self.put(man + "d.1.gz", "short")
        texts = [text[:3] for _, text in self.collected()]
        self.assertEqual(texts, ["one", "two"])

    def test_a_damaged_page_is_skipped(self):
        """The damaged file must not end the stage."""
        self.put("manpages/usr/share/man/man1/a.1.gz", "one " * 100)
        whole = self.packages / "manpages/usr/share/man/man1/a.1.gz"
        whole.write_bytes(whole.read_bytes()[:-9])
        self.assertEqual(self.collected(), [])

    def test_a_domain_ends_at_its_cap(self):
        """A domain without a cap is taken whole."""
        megabyte = "x" * 1_000_000
        documents = [("gimp-help-en", megabyte), ("git-doc", megabyte)] * 7
        kept = [domain for domain, _ in build.capped(documents)]
        self.assertEqual(kept.count("gimp-help-en"), 5)
        self.assertEqual(kept.count("git-doc"), 7)


class Bpe(unittest.TestCase):
    """The tokenizer and its tokens."""

    def test_the_most_frequent_pair_is_merged_first(self):
        """Counts decide; merged tokens count as well."""
        merger = bpe.Merger({"abc": 5, "bcd": 3, "ab": 2})
        while merger.merge_most_frequent():
            pass
        self.assertEqual(merger.merges, ["b c", "a bc", "bc d", "a b"])

    def test_tokens_spell_the_text_that_they_were_made_from(self):
        """That holds for every script, seen in training or not."""
        texts = ["the cat and the other cat sat there, "] * 40
        encoder = bpe.Encoder(bpe.train(texts, 270))
        names = {id: text for text, id in encoder.ids.items()}
        text = "the cat's 猫 sat\r\n\tthere 12"
        tokens = encoder.document(text)
        self.assertEqual(names[tokens[0]], bpe.END_OF_TEXT)
        self.assertEqual("".join(names[id] for id in tokens[1:]),
                         "".join(bpe.spelled(text)))
        self.assertLess(len(tokens), len(text.encode()))

    def test_too_little_text_for_the_vocabulary_is_refused(self):
        """The error says what to do."""
        with self.assertRaisesRegex(SystemExit, "--vocabulary below 4096"):
            bpe.train(["cat cat cat"] * 9, 4096)


class Gguf(unittest.TestCase):
    """Quantized blocks and the file around them."""

    def setUp(self):
        random = np.random.default_rng(0)
        self.weights = random.normal(size=(64, 32)).astype(np.float32)
        self.weights[5] = 0

    def blocks(self, data):
        """Returns scales as a column, and the bytes behind them."""
        rows = np.frombuffer(data, np.uint8).reshape(64, -1)
        scales = rows[:, :2].copy().view("<f2").astype(np.float32)
        return scales, rows[:, 2:]

    def test_q8_0_is_off_by_half_a_step_at_most(self):
        """The error is a little more, as the scale itself is rounded."""
        scales, quants = self.blocks(gguf.quantized_q8_0(self.weights))
        wrong = np.abs(quants.view(np.int8) * scales - self.weights)
        self.assertTrue((wrong <= 0.57 * scales).all())
        self.assertTrue((wrong[5] == 0).all())
        largest = np.abs(quants.view(np.int8).astype(int)).max(1)
        self.assertEqual(set(np.delete(largest, 5)), {127})

    def test_q4_0_is_off_by_a_step_at_most(self):
        """The error is a step at the clipped end, half a step elsewhere."""
        scales, quants = self.blocks(gguf.quantized_q4_0(self.weights))
        signed = np.hstack([quants & 15, quants >> 4]).astype(int) - 8
        wrong = np.abs(signed * scales - self.weights)
        self.assertTrue((wrong <= 1.01 * np.abs(scales)).all())
        self.assertLess(wrong.mean(), 0.3 * np.abs(scales).mean())
        self.assertTrue((wrong[5] == 0).all())

    def test_a_tensor_lies_where_the_table_says(self):
        """They are aligned; the innermost dimension comes first."""
        writer = gguf.Writer()
        writer.add("general.alignment", 32)
        writer.add_tensor("a", np.ones(3), "f32")
        writer.add_tensor("b", self.weights[:2], "f32")
        with tempfile.NamedTemporaryFile() as file:
            size = writer.write(file.name)
            data = Path(file.name).read_bytes()
        self.assertEqual(data[:4], b"GGUF")
        self.assertEqual(struct.unpack_from("<IQQ", data, 4), (3, 2, 1))
        entry = data.index(gguf.packed_string("b")) + 9
        self.assertEqual(struct.unpack_from("<IQQIQ", data, entry),
                         (2, 32, 2, 0, 32))
        self.assertEqual(len(data), size)
        self.assertEqual(data[-256:], self.weights[:2].tobytes())

    def test_rows_that_are_no_blocks_are_refused(self):
        """The error names the tensor."""
        with self.assertRaisesRegex(ValueError, "odd: rows of 33"):
            gguf.Writer().add_tensor("odd", np.ones((2, 33)), "q4_0")


@unittest.skipUnless(torch, WITHOUT_TORCH)
class Model(unittest.TestCase):
    """The network and its training."""

    def setUp(self):
        torch.manual_seed(0)
        torch.set_num_threads(1)
        self.shape = model.Shape(vocabulary=16, hidden=8, layers=2, heads=2,
                                 kv_heads=1, experts=4, top_k=2, expert_ffn=4)

    def test_the_slots_gradients_are_the_true_ones(self):
        """Compares with differences, for rows used twice and never."""
        x = torch.randn(3, 2, dtype=torch.double, requires_grad=True)
        rows, slots = torch.tensor([0, 2, 0]), torch.tensor([4, 1, 0])

        def there_and_back(x):
            """Puts rows into slots and takes all but one out again."""
            slotted = model.IntoSlots.apply(x, rows, slots, 5)
            return model.OutOfSlots.apply(slotted * slotted, slots[:2])

        self.assertTrue(torch.autograd.gradcheck(there_and_back, x))

    def test_experts_add_up_as_one_by_one(self):
        """Compares with a loop, with no expert above its capacity."""
        experts = model.Experts(self.shape)
        x = torch.randn(1, 8)
        # Capacity is twice the mean load: with two picks for four experts
        # it is one slot, and one token picks no expert twice.
        chances = experts.router(x).softmax(-1)[0]
        chosen = chances.topk(2).indices
        expected = torch.zeros(8)
        for expert in chosen:
            gate, up = (x[0] @ experts.gate_up[expert]).chunk(2)
            inner = torch.nn.functional.silu(gate) * up
            expected += (chances[expert] / chances[chosen].sum()
                         * (inner @ experts.down[expert]))
        torch.testing.assert_close(experts(x)[0][0], expected)

    def test_no_position_sees_those_after_it(self):
        """Every expert is chosen, so that none is above its capacity."""
        shape = model.Shape(**vars(self.shape) | {"top_k": 4})
        network = model.LanguageModel(shape, window=6)
        tokens = torch.tensor([[1, 2, 3, 4, 5, 6]])
        changed = torch.tensor([[1, 2, 3, 9, 9, 9]])
        before, after = network(tokens)[0], network(changed)[0]
        torch.testing.assert_close(before[:, :3], after[:, :3])
        self.assertFalse(torch.allclose(before[:, 3], after[:, 3]))

    def test_training_learns_what_repeats(self):
        """The loss falls from chance, ln 16 = 2.77, to less than half."""
        network = model.LanguageModel(self.shape, window=8)
        optimizer = train.make_optimizer(network)
        tokens = np.tile(np.arange(16), 20)
        before, _ = train.held_out_loss(network, tokens, 8)
        generator = np.random.default_rng(0)
        for group in optimizer.param_groups:
            group["lr"] = 1e-2
        for _ in range(60):
            batches = [train.random_batch(tokens, 8, 8, generator)]
            train.one_step(network, optimizer, batches, 0.01)
        after, _ = train.held_out_loss(network, tokens, 8)
        self.assertGreater(before, 2.5)
        self.assertLess(after, 1.3)

    def test_the_learning_rate_rises_then_falls(self):
        """It goes from near zero to the peak, then to a twentieth."""
        rates = [train.learning_rate(step, 1000, 1.0) for step in range(1000)]
        self.assertLess(rates[0], 0.02)
        self.assertGreater(max(rates), 0.98)
        self.assertAlmostEqual(rates[-1], train.LOWEST_RATE, places=4)


if __name__ == "__main__":
    unittest.main()
