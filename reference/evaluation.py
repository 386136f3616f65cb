"""Writes what transformers' Trainer and TRL's SFTTrainer report of an evaluation, and when transformers stops early.

How `eval_loss` is averaged (transformers 5.24, trainer.py: prediction_step, evaluation_loop):

- Rows are taken in their order (SequentialSampler), `per_device_eval_batch_size` B at a time; the last batch is short.
- A batch's loss is its summed cross-entropy over the number of its labels other than -100 in `labels[..., 1:]`. prediction_step counts
  them over this one batch and hands the number to the model as `num_items_in_batch`, so it is the batch's plain mean over loss tokens.
- evaluation_loop repeats that loss B times, and accelerate's gather_for_metrics cuts the repetitions of the last batch to the rows
  it has. `eval_loss` is the mean of all of them: the batches' token means, weighted by their rows and not by their tokens. It depends on B
  and on the order of rows; with one row a batch it is the mean over rows, with all rows in one batch the mean over tokens.
- A batch whose loss is not finite (0 / 0: no loss token at all) is left out of that mean while any batch is finite
  (logging_nan_inf_filter).

`eval_mean_token_accuracy` (TRL 1.16, sft_trainer.py: compute_loss, log): in each batch the loss tokens that were the most likely
ones over the batch's loss tokens; the mean of that over the batches, each of weight one, the short last one too.

Early stopping (transformers 5.24, trainer_callback.py: EarlyStoppingCallback; trainer.py: evaluate, _determine_best_metric). At each
evaluation:

1. `evaluate` calls the callback before the best value is updated. The counter goes back to 0 where there is no best value yet, or where the
   value is better than the best (strictly) and further from it than the threshold (strictly); else it grows by 1. At `patience` the
   run is told to stop, after this step's checkpoint.
2. Then the value becomes the best where it is strictly better, whatever the threshold: a run that creeps by less than the threshold
   gets better and still runs out of patience, each value held to the one before. Of equal values the first is the best.
3. NaN is never better: the first evaluation may be NaN without counting, and leaves the best value at infinity, with no best step.

`best_global_step` becomes a checkpoint to load only if that step is saved.
"""

import os
import tempfile

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

import datasets
import torch
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import (
    AutoTokenizer, EarlyStoppingCallback, LlamaForCausalLM, PrinterCallback, Trainer, TrainerCallback, TrainingArguments
)
from transformers.trainer_utils import EvalLoopOutput
from transformers.utils import logging as transformers_logging
from trl import SFTConfig, SFTTrainer

from fixture_files import REPOSITORY, versions, write_json
from float64 import to_float64
from tiny_llamas import collate, labels_of, loss_count, ragged, summed_loss

CASE = "tied-gqa"
MODEL = REPOSITORY / "src/engine/models/fixtures" / CASE
EVALUATION = REPOSITORY / "src/engine/train/fixtures/evaluation.json"
EARLY_STOPPING = REPOSITORY / "src/run/fixtures/early-stopping.json"

ROWS = 20
BATCH_SIZES = (8, 3)
# No token of a row may be so close to the next best that rounding decides whether it counts as predicted.
SMALLEST_LEAD = 5e-3


def load():
    """The committed base with its committed adapter, in f32."""
    base = LlamaForCausalLM.from_pretrained(MODEL, dtype=torch.float32, attn_implementation="eager")
    return PeftModel.from_pretrained(base, MODEL / "adapter").eval()


def lead(logits: torch.Tensor, labels: list[int]) -> float:
    """The smallest distance of the largest logit to the next where a loss token is predicted. logits [tokens, V]."""
    best = logits.topk(2).values
    leads = best[:, 0] - best[:, 1]
    return min((leads[i - 1].item() for i, label in enumerate(labels) if i > 0 and label != -100), default=float("inf"))


@torch.no_grad()
def draw_rows(model) -> list[dict]:
    """Rows of 2 to 41 tokens. Behind a masked prompt a token is the model's own choice or a random one, the later the row the more often."""
    random = torch.Generator().manual_seed(31)
    vocab = model.config.vocab_size

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (1,), generator=random))

    def draw_row(index: int) -> dict:
        prompt, completion = draw(1, 12), draw(1, 30)
        tokens = [draw(0, vocab) for _ in range(prompt)]
        for _ in range(completion):
            # The first rows are mostly what the model would say, the last mostly noise: batches differ in loss and in accuracy.
            foreseen = draw(0, ROWS) >= index
            tokens.append(int(model(torch.tensor([tokens])).logits[0, -1].argmax()) if foreseen else draw(0, vocab))
        return {"tokens": tokens, "lossMask": [int(i >= prompt) for i in range(len(tokens))]}

    rows = []
    while len(rows) < ROWS:
        row = draw_row(len(rows))
        if lead(model(torch.tensor([row["tokens"]])).logits[0], labels_of(row)) > SMALLEST_LEAD:
            rows.append(row)
    # Loss everywhere but on the first token; holes as between a chat's turns; one loss token alone.
    rows[3]["lossMask"] = [int(i > 0) for i in range(len(rows[3]["tokens"]))]
    rows[7]["lossMask"] = [mask * int(i % 4 != 0) for i, mask in enumerate(rows[7]["lossMask"])]
    rows[12]["lossMask"] = [int(i == len(rows[12]["tokens"]) - 1) for i in range(len(rows[12]["tokens"]))]
    assert all(loss_count([row]) > 0 for row in rows)
    return rows


@torch.no_grad()
def by_rows(model, rows: list[dict]) -> tuple[list[float], list[int], float]:
    """Each row's summed cross-entropy and its number of loss tokens predicted right, without padding; and the smallest lead."""
    sums, right, smallest = [], [], float("inf")
    for row in rows:
        logits = model(torch.tensor([row["tokens"]])).logits
        labels = torch.tensor([labels_of(row)])
        sums.append(summed_loss(logits, labels).item())
        right.append(int((logits[:, :-1].argmax(-1) == labels[:, 1:]).sum()))
        smallest = min(smallest, lead(logits[0], labels_of(row)))
    return sums, right, smallest


def batch_means(values: list[float], rows: list[dict], batch_size: int) -> list[tuple[int, float]]:
    """Of each batch its number of rows, and the sum of its rows' `values` over its loss tokens."""
    means = []
    for start in range(0, len(rows), batch_size):
        batch = rows[start:start + batch_size]
        means.append((len(batch), sum(values[start:start + batch_size]) / loss_count(batch)))
    return means


def options(folder: str, batch_size: int) -> dict:
    return dict(
        output_dir=folder, per_device_eval_batch_size=batch_size, report_to="none", use_cpu=True, remove_unused_columns=False,
        disable_tqdm=True, dataloader_pin_memory=False,
    )


def evaluate_by_trainer(model, rows: list[dict], batch_size: int) -> dict:
    """What Trainer.evaluate reports."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(**options(folder, batch_size))
        trainer = Trainer(model=model, args=arguments, eval_dataset=rows, data_collator=collate)
        trainer.remove_callback(PrinterCallback)
        return trainer.evaluate()


class LastLog(TrainerCallback):
    """Keeps what was logged last: SFTTrainer adds its own measures there."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.logs = dict(logs)


def evaluate_by_sft_trainer(rows: list[dict], batch_size: int) -> dict:
    """What SFTTrainer logs of an evaluation of the same rows. It needs a tokenizer, which it does not use on rows of tokens."""
    log = LastLog()
    with tempfile.TemporaryDirectory() as folder:
        dataset = datasets.Dataset.from_list([{"input_ids": row["tokens"], **row} for row in rows])
        trainer = SFTTrainer(
            model=load(), processing_class=AutoTokenizer.from_pretrained(REPOSITORY / "src/cli/fixtures/tiny-llama"), train_dataset=dataset,
            eval_dataset=dataset, data_collator=collate, callbacks=[log],
            args=SFTConfig(**options(folder, batch_size), bf16=False, dataset_kwargs={"skip_prepare_dataset": True}),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.evaluate()
    return log.logs


def write_evaluation() -> None:
    model = load()
    rows = draw_rows(model)
    sums, right, smallest = by_rows(model, rows)
    sums64, right64, _ = by_rows(to_float64(load()), rows)
    assert right == right64, "rounding decides what is predicted right"
    count = loss_count(rows)
    evaluations = []
    for batch_size in BATCH_SIZES:
        reported, logged = evaluate_by_trainer(model, rows, batch_size), evaluate_by_sft_trainer(rows, batch_size)

        def averaged(values: list[float]) -> float:
            return sum(size * mean for size, mean in batch_means(values, rows, batch_size)) / ROWS

        accuracies = [mean for _, mean in batch_means(right, rows, batch_size)]
        accuracy = sum(accuracies) / len(accuracies)
        # The docstring's account, held to what the two programs report.
        assert abs(averaged(sums) - reported["eval_loss"]) < 2e-6, (averaged(sums), reported)
        assert abs(logged["eval_loss"] - reported["eval_loss"]) < 2e-6, (logged, reported)
        assert abs(accuracy - logged["eval_mean_token_accuracy"]) < 1e-6, (accuracy, logged)
        evaluations.append({
            "batchSize": batch_size,
            "evalLoss": reported["eval_loss"],
            "evalLoss64": averaged(sums64),
            "evalMeanTokenAccuracy": logged["eval_mean_token_accuracy"],
        })
    over_tokens = sum(sums64) / count
    for entry in evaluations:
        assert abs(entry["evalLoss64"] - over_tokens) > 1e-2, "the averages are too close to tell one from another"
    write_json(EVALUATION, {
        "case": CASE,
        "writtenBy": "reference/evaluation.py",
        "versions": versions("torch", "transformers", "peft", "trl", "accelerate"),
        "bound": 1e-4,
        "table": ragged(rows),
        "lossTokens": count,
        "rowLossSums64": sums64,
        "rowTokensRight": right,
        "smallestLead": smallest,
        "lossOverTokens64": over_tokens,
        "tokenAccuracy": sum(right) / count,
        "evaluations": evaluations,
    })
    print(f"evaluation: {EVALUATION.stat().st_size / 1024:.0f} KiB, {count} loss tokens, over tokens {over_tokens:.6f}, "
          f"accuracy {sum(right) / count:.4f}, smallest lead {smallest:.4f}")
    for entry in evaluations:
        print(f"  {entry}")


# Name, patience, threshold, whether greater is better, and the values in the order of evaluations, one a step.
STOPPING_RUNS = [
    ("gets better to the end", 2, 0.0, False, [3.0, 2.5, 2.25, 2.0, 1.5]),
    ("worsens at once", 2, 0.0, False, [2.0, 2.5, 3.0, 1.0]),
    ("patience of one", 1, 0.0, False, [2.0, 1.5, 1.75, 1.0]),
    ("a better value sets the counter back", 3, 0.0, False, [3.0, 3.25, 3.5, 2.75, 3.0, 3.0, 3.0, 1.0]),
    ("equal values count, the first is the best", 3, 0.0, False, [2.0, 2.0, 2.0, 2.0, 1.0]),
    ("creeps by less than the threshold", 3, 0.25, False, [2.0, 1.875, 1.75, 1.625, 1.0]),
    ("improves by exactly the threshold", 2, 0.25, False, [2.0, 1.75, 1.5, 1.0]),
    ("is held to the best, not to the last value", 2, 0.25, False, [2.0, 2.5, 1.875, 1.0]),
    ("creeps, then leaps from the best", 2, 0.25, False, [2.0, 1.875, 1.5, 1.375, 1.25, 0.5]),
    ("greater is better", 2, 0.0, True, [0.25, 0.5, 0.5, 0.375, 0.75]),
    ("greater is better, with a threshold", 2, 0.125, True, [0.25, 0.5, 0.5625, 0.625, 0.875]),
    ("begins with NaN", 2, 0.0, False, [float("nan"), 2.0, 2.5, 2.25, 1.0]),
    ("NaN counts", 2, 0.0, False, [2.0, float("nan"), float("nan"), 1.0]),
    ("nothing but NaN", 3, 0.0, False, [float("nan")] * 5),
    ("comes back from infinity", 2, 0.0, False, [float("inf"), 4.0, 4.5, 5.0, 1.0]),
    ("runs out before its patience", 5, 0.0, False, [2.0, 2.5, 2.25, 2.75]),
]


class Replay(Trainer):
    """A Trainer whose evaluations find the given values; all else is transformers' own."""

    def __init__(self, values: list[float], **kwargs):
        super().__init__(**kwargs)
        self.values = values
        self.counters: list[int] = []

    def evaluation_loop(self, dataloader, description, metric_key_prefix="eval", **kwargs):
        value = self.values[self.state.global_step - 1]
        return EvalLoopOutput(predictions=None, label_ids=None, metrics={f"{metric_key_prefix}_value": value}, num_samples=1)

    def evaluate(self, *args, **kwargs):
        metrics = super().evaluate(*args, **kwargs)
        stopping = next(c for c in self.callback_handler.callbacks if isinstance(c, EarlyStoppingCallback))
        self.counters.append(stopping.early_stopping_patience_counter)
        return metrics


class OneWeight(torch.nn.Module):
    """The smallest model that a Trainer trains."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x, labels):
        return {"loss": ((self.weight * x - labels) ** 2).mean()}


def plain(value: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return value if value - value == 0 else str(value)


def replay(name: str, patience: int, threshold: float, greater: bool, values: list[float]) -> dict:
    rows = [{"x": torch.ones(1), "labels": torch.zeros(1)} for _ in values]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            **options(folder, 1), per_device_train_batch_size=1, max_steps=len(values), eval_strategy="steps", eval_steps=1,
            save_strategy="steps", save_steps=1, load_best_model_at_end=True, metric_for_best_model="value", greater_is_better=greater,
        )
        trainer = Replay(
            values, model=OneWeight(), args=arguments, train_dataset=rows, eval_dataset=rows,
            callbacks=[EarlyStoppingCallback(patience, threshold)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        state = trainer.state
        saved = state.best_model_checkpoint
        assert saved is None or saved.endswith(f"checkpoint-{state.best_global_step}")
    return {
        "name": name,
        "patience": patience,
        "threshold": threshold,
        "greaterIsBetter": greater,
        "values": [plain(value) for value in values],
        "stepsRun": state.global_step,
        "stoppedEarly": trainer.counters[-1] >= patience,
        "bestStep": state.best_global_step,
        "bestValue": plain(state.best_metric),
        "counters": trainer.counters,
    }


def write_early_stopping() -> None:
    runs = [replay(*run) for run in STOPPING_RUNS]
    write_json(EARLY_STOPPING, {
        "writtenBy": "reference/evaluation.py",
        "versions": versions("torch", "transformers", "accelerate"),
        "runs": runs,
    })
    print(f"early stopping: {EARLY_STOPPING.stat().st_size / 1024:.0f} KiB")
    for run in runs:
        stop = "stopped" if run["stoppedEarly"] else "ran out"
        print(f"  {run['name']}: {stop} after {run['stepsRun']} of {len(run['values'])}, best {run['bestStep']} {run['counters']}")


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    write_evaluation()
    write_early_stopping()


if __name__ == "__main__":
    main()
