"""Trains the model on the tokens that bpe.py wrote, on the CPU, and prints
its held-out loss."""

import argparse
import json
import math
import time
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from common import fail, log, require_file, written_whole
from model import LanguageModel, Shape

PARTS = 2  # parts into which a step's batch is cut, to save memory
WARM_UP = 60  # steps until the learning rate is at its peak
LOWEST_RATE = 0.05  # the last learning rate, as a share of the peak
WEIGHT_DECAY = 0.05
LONGEST_GRADIENT = 1.0
SAVE_EVERY = 200  # steps
HELD_OUT_WINDOWS = 400


def read_tokens(path, shape, window):
    """Reads a token file and checks it against the vocabulary."""
    require_file(path, "bpe.py")
    tokens = np.fromfile(path, dtype="<u2")
    if len(tokens) < window + 2:
        fail(f"{path}: {len(tokens)} tokens, fewer than one --window of "
             f"{window} and its targets")
    if tokens.max() >= shape.vocabulary:
        fail(f"{path}: token {tokens.max()} is beyond the {shape.vocabulary} "
             "tokens of tokenizer.json; run bpe.py again to make both")
    return tokens


def inputs_and_targets(windows):
    """Returns tokens to read, and for each the token to predict."""
    rows = torch.from_numpy(np.stack(windows).astype(np.int64))
    return rows[:, :-1], rows[:, 1:]


def random_batch(tokens, window, size, generator):
    """Returns `size` windows from random places in the tokens."""
    starts = generator.integers(0, len(tokens) - window - 1, size)
    return inputs_and_targets([tokens[start:start + window + 1]
                               for start in starts])


def foretelling_loss(logits, targets):
    """Returns the mean cross entropy in nats per token."""
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]),
                           targets.reshape(-1))


def learning_rate(step, steps, peak):
    """Rises linearly, then falls to LOWEST_RATE along half a cosine."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    warm_up = min(1, (step + 1) / WARM_UP)
    return peak * warm_up * (cosine * (1 - LOWEST_RATE) + LOWEST_RATE)


def make_optimizer(model):
    """Makes an AdamW that applies no weight decay to norms."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    norms = [p for p in model.parameters() if p.dim() < 2]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": WEIGHT_DECAY},
         {"params": norms, "weight_decay": 0}],
        betas=(0.9, 0.95), eps=1e-8)


def one_step(model, optimizer, batches, balance):
    """Trains on the batches; returns their mean loss and imbalance."""
    losses, imbalances = [], []
    for inputs, targets in batches:
        logits, imbalance = model(inputs)
        loss = foretelling_loss(logits, targets)
        ((loss + balance * imbalance) / len(batches)).backward()
        losses.append(loss.item())
        imbalances.append(imbalance.item())
    torch.nn.utils.clip_grad_norm_(model.parameters(), LONGEST_GRADIENT)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(np.mean(losses)), float(np.mean(imbalances))


def train(model, tokens, arguments, save):
    """Runs all steps; calls save(steps done) every SAVE_EVERY steps."""
    generator = np.random.default_rng(arguments.seed)
    optimizer = make_optimizer(model)
    part = arguments.batch // PARTS
    started = time.monotonic()
    for step in range(arguments.steps):
        rate = learning_rate(step, arguments.steps, arguments.learning_rate)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batches = [random_batch(tokens, arguments.window, part, generator)
                   for _ in range(PARTS)]
        loss, imbalance = one_step(model, optimizer, batches,
                                   arguments.balance)
        done = step + 1
        if done <= 5 or done % 20 == 0:
            trained_on = done * arguments.batch * arguments.window
            speed = trained_on / (time.monotonic() - started)
            log(f"step {done} of {arguments.steps}: loss {loss:.3f}, "
                f"imbalance {imbalance:.3f}, rate {rate:.2e}, "
                f"{trained_on / 1e6:.2f} M tokens, {speed:.0f} per second")
        if done % SAVE_EVERY == 0:
            save(done)


def held_out_loss(model, tokens, window):
    """Returns the mean loss over the first windows, and their number."""
    model.eval()
    end = min(len(tokens) - window - 1, HELD_OUT_WINDOWS * window)
    losses = []
    with torch.no_grad():
        for start in range(0, end, window):
            inputs, targets = inputs_and_targets(
                [tokens[start:start + window + 1]])
            losses.append(foretelling_loss(model(inputs)[0], targets).item())
    return float(np.mean(losses)), len(losses)


def write_checkpoint(path, model, facts):
    """Writes the weights, the sizes and the history of the training."""
    with written_whole(path) as partial:
        torch.save({"shape": asdict(model.shape), "facts": facts,
                    "weights": model.state_dict()}, partial)


def read_checkpoint(path):
    """Reads a file that write_checkpoint wrote."""
    require_file(path, "train.py")
    try:
        return torch.load(path, map_location="cpu")
    except Exception as error:  # torch passes on any error of unpickling
        fail(f"{path}: not a checkpoint of train.py ({error})")


def earlier_facts(arguments):
    """Returns the weights and history of the --start checkpoint."""
    if arguments.start is None:
        return None, {"tokens": 0, "stretches": []}
    checkpoint = read_checkpoint(arguments.start)
    return checkpoint["weights"], checkpoint["facts"]


def make_model(shape, window, weights, start):
    """Makes a model, with the weights of an earlier stretch if given."""
    model = LanguageModel(shape, window)
    if weights is not None:
        try:
            model.load_state_dict(weights)
        except RuntimeError:
            fail(f"{start}: was trained with other sizes; give the sizes that "
                 "it was trained with")
    return model


def run(arguments, shape):
    """Runs one stretch of training, from tokens to checkpoint."""
    torch.manual_seed(arguments.seed)
    training = read_tokens(arguments.data / "train.bin", shape,
                           arguments.window)
    held_out = read_tokens(arguments.data / "val.bin", shape,
                           arguments.window)
    weights, earlier = earlier_facts(arguments)
    model = make_model(shape, arguments.window, weights, arguments.start)
    log(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M "
        f"parameters, {len(training) / 1e6:.1f} M tokens to learn from")

    def facts(steps):
        """Returns the history so far, this stretch included."""
        stretch = {"steps": steps, "of": arguments.steps,
                   "balance": arguments.balance, "seed": arguments.seed}
        tokens = steps * arguments.batch * arguments.window
        return {"tokens": earlier["tokens"] + tokens,
                "stretches": [*earlier["stretches"], stretch]}

    unfinished = arguments.output.with_name(
        arguments.output.name + ".unfinished")
    train(model, training, arguments,
          lambda steps: write_checkpoint(unfinished, model, facts(steps)))
    loss, windows = held_out_loss(model, held_out, arguments.window)
    write_checkpoint(arguments.output, model,
                     facts(arguments.steps) | {"held_out_loss": loss})
    unfinished.unlink(missing_ok=True)
    print(f"held-out loss {loss:.4f} nats per token over "
          f"{windows * arguments.window} tokens")


def parse_arguments():
    """Reads and checks the command line; see --help."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        epilog="example: train.py --data tokens --steps 1650 -o model.pt")
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR",
        help="the folder with bpe.py's train.bin, val.bin, tokenizer.json")
    add("-o", "--output", type=Path, required=True, metavar="FILE",
        help="the checkpoint to write; an unfinished one is kept beside it")
    add("--start", type=Path, metavar="FILE",
        help="a checkpoint whose weights to begin from, instead of new ones")
    add("--steps", type=int, required=True, metavar="N",
        help="number of steps, of one batch each")
    add("--batch", type=int, default=32, metavar="N",
        help="number of windows in a step")
    add("--window", type=int, default=256, metavar="N",
        help="number of tokens in a window")
    add("--balance", type=float, default=0.01, metavar="X",
        help="coefficient of the experts' imbalance in the loss")
    add("--learning-rate", type=float, default=2e-3, metavar="X",
        help="peak of the learning rate")
    add("--seed", type=int, default=0, metavar="N",
        help="seed of new weights and of the choice of windows")
    add("--threads", type=int, metavar="N",
        help="number of CPU threads; torch chooses if not given")
    for size in fields(Shape)[1:]:  # all but the vocabulary
        add("--" + size.name.replace("_", "-"), type=int, metavar="N",
            default=size.default, help="a size of the model")
    arguments = parser.parse_args()
    for name, least in {"steps": 1, "window": 1, "threads": 1, "batch": PARTS,
                        "seed": 0}.items():
        value = getattr(arguments, name)
        if value is not None and value < least:
            parser.error(f"--{name} must be {least} or more")
    if arguments.batch % PARTS:
        parser.error(f"--batch must be a multiple of {PARTS}")
    return arguments


def read_shape(arguments):
    """Returns the sizes given, with the vocabulary of the tokenizer."""
    tokenizer = arguments.data / "tokenizer.json"
    require_file(tokenizer, "bpe.py")
    vocabulary = len(json.loads(tokenizer.read_text("utf8"))["vocab"])
    shape = Shape(vocabulary, *(getattr(arguments, size.name)
                                for size in fields(Shape)[1:]))
    if shape.problem():
        fail(shape.problem())
    return shape


def main():
    """Trains a model as the command line says."""
    arguments = parse_arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    run(arguments, read_shape(arguments))


if __name__ == "__main__":
    main()
