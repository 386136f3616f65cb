"""Writes the first losses that `olive finetune` and TRL's SFTTrainer log on a tiny Llama, with the flags and the rows of that step.

LoRA starts as a no-op, so the first logged loss is the base's on the first step's rows. Each is computed again with transformers alone.
"""

import json
import os
import shlex
import shutil
import tempfile
from contextlib import chdir
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OLIVE_DISABLE_TELEMETRY": "1"}

import datasets
import torch
from olive.cli.launcher import main as olive
from olive.passes.pytorch.lora import LoRA
from olive.workflows import run as olive_run
from peft import LoraConfig
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PrinterCallback, TrainerCallback, trainer
from trl import SFTConfig, SFTTrainer

from fixture_files import REPOSITORY, versions, write_json

FIXTURES = REPOSITORY / "src/cli/fixtures"
TOKENIZER = REPOSITORY / "src/data/fixtures"
MODEL = FIXTURES / "tiny-llama"

ROWS = [
    {"input": "Two green teapots to Lisbon by Friday, please.", "output": "teapot x2, Lisbon, Friday", "quantity": 2, "price": 12.5},
    {"input": "One lamp for Monday. It goes to Porto.", "output": "lamp x1, Porto, Monday", "quantity": 1, "price": 40},
    {"input": "I never got my order, where is it?", "output": "status", "quantity": None, "price": 0},
    {"input": "三个红色的碗, 寄到上海 🍵", "output": "bowl x3, 上海", "quantity": 3, "price": 7.25},
    {"input": "Seven plates and a kettle,\nto Oslo, today.", "output": "plate x7, kettle x1, Oslo, today", "quantity": 8, "price": 99},
    {"input": "Can I send back the blue lamp?", "output": "return: lamp", "quantity": 1, "price": 40},
    {"input": "Please cancel the order from Monday.", "output": "cancel: Monday", "quantity": None, "price": 0},
    {"input": "Four cups of tea to Leeds by Sunday.", "output": "tea x4, Leeds, Sunday", "quantity": 4, "price": 2.1},
]
CHATS = [
    {"messages": [{"role": "user", "content": row["input"]}, {"role": "assistant", "content": row["output"]}]} for row in ROWS
]
COMPLETIONS = [{"prompt": row["input"] + "\n=>", "completion": " " + row["output"]} for row in ROWS]
CHAT_COMPLETIONS = [
    {
        "prompt": [{"role": "system", "content": "Answer with a ticket."}, {"role": "user", "content": row["input"]}],
        "completion": [{"role": "assistant", "content": row["output"]}],
    }
    for row in ROWS
]
FILES = {"rows.json": ROWS, "chats.jsonl": CHATS, "completions.jsonl": COMPLETIONS, "chat-completions.jsonl": CHAT_COMPLETIONS}

COMMON = ["--method", "lora", "--torch_dtype", "float32", "--max_steps", "1", "--logging_steps", "1", "--learning_rate", "1e-6"]
SEQUENTIAL = ["--train_sampling_strategy", "sequential"]


def size(batch: int, accumulation: int) -> list[str]:
    return ["--per_device_train_batch_size", str(batch), "--gradient_accumulation_steps", str(accumulation)]


# Name, data file, flags, and what Olive's flags cannot say: keys of its TextGenParams.
OLIVE_RUNS = [
    ("text_template", "rows.json", ["--text_template", "### {input}\\n=> {output}", "--max_seq_len", "24", *size(2, 1), *SEQUENTIAL], {}),
    ("text_field", "rows.json", ["--text_field", "input", "--max_seq_len", "16", *size(2, 2), *SEQUENTIAL], {}),
    (
        "text_template with numbers and null, max_samples",
        "rows.json",
        ["--text_template", "{quantity} at {price}: {output}", "--max_seq_len", "17", "--max_samples", "5", *size(4, 1), *SEQUENTIAL],
        {},
    ),
    ("use_chat_template", "chats.jsonl", ["--use_chat_template", "--max_seq_len", "40", *size(1, 3), *SEQUENTIAL], {}),
    # In one batch the order does not matter.
    ("random order, every block in the batch", "rows.json", ["--text_field", "output", "--max_seq_len", "16", *size(32, 1)], {}),
    ("random order", "rows.json", ["--text_field", "input", "--max_seq_len", "16", *size(2, 2)], {}),
    (
        "line by line",
        "rows.json",
        ["--text_template", "{input} => {output}", "--max_seq_len", "40", *size(8, 1), *SEQUENTIAL],
        {"strategy": "line-by-line"},
    ),
    (
        "line by line, accumulated",
        "rows.json",
        ["--text_template", "{input} => {output}", "--max_seq_len", "40", *size(2, 2), *SEQUENTIAL],
        {"strategy": "line-by-line"},
    ),
]

# Name, data file, batch, accumulation, and options of SFTConfig.
TRL_RUNS = [
    ("prompt and completion", "completions.jsonl", 2, 1, {}),
    ("prompt and completion, accumulated", "completions.jsonl", 2, 2, {}),
    ("prompt and completion, truncated", "completions.jsonl", 3, 1, {"max_length": 24}),
    ("messages", "chat-completions.jsonl", 2, 2, {}),
    ("loss on every token", "completions.jsonl", 2, 2, {"completion_only_loss": False}),
]


class Recorder(TrainerCallback):
    """Keeps what a trainer logs, the batches that its collator makes, and its dataset."""

    def __init__(self):
        self.logs: list[dict] = []
        self.batches: list[dict] = []
        self.dataset = None

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.logs.append(dict(logs))

    def first_loss(self) -> float:
        return next(entry["loss"] for entry in self.logs if "loss" in entry)

    def first_step(self, accumulation: int) -> list[dict]:
        """The first step's micro-batches; the loader may have read further ahead."""
        assert len(self.batches) >= accumulation, f"{len(self.batches)} micro-batches, not {accumulation}"
        return self.batches[:accumulation]


def make_model() -> None:
    """A Llama of 2 layers with random weights, and the data fixtures' tokenizer, as a Hugging Face folder."""
    shutil.rmtree(MODEL, ignore_errors=True)
    MODEL.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(TOKENIZER / name, MODEL / name)
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        head_dim=8, max_position_embeddings=128, rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    ))
    random = torch.Generator().manual_seed(31)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=random)
            parameter.copy_(1 + 0.1 * noise if name.endswith("norm.weight") else 0.2 * noise)
    model.save_pretrained(MODEL)
    (MODEL / "generation_config.json").unlink(missing_ok=True)


def write_rows() -> None:
    for name, rows in FILES.items():
        if name.endswith(".jsonl"):
            (FIXTURES / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        else:
            write_json(FIXTURES / name, rows)


def micro_batch_rows(batch: dict) -> list[dict]:
    """Each row's tokens and labels without the padding on the right."""
    rows = []
    for ids, mask, labels in zip(batch["input_ids"], batch["attention_mask"], batch["labels"]):
        length = int(mask.sum())
        assert bool(mask[:length].all()), "padding on the left"
        rows.append({"tokens": ids[:length].tolist(), "labels": labels[:length].tolist()})
    return rows


def losses(step: list[list[dict]]) -> tuple[float, float]:
    """The base's loss on a step by transformers' forward alone: over all its tokens; and over each micro-batch, then over those."""
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32, attn_implementation="eager").eval()
    sums, counts = [], []
    with torch.no_grad():
        for rows in step:
            sums.append(0.0)
            counts.append(0)
            for row in rows:
                logits = model(input_ids=torch.tensor([row["tokens"]])).logits[0]
                labels = torch.tensor(row["labels"])
                sums[-1] += cross_entropy(logits[:-1].double(), labels[1:], ignore_index=-100, reduction="sum").item()
                counts[-1] += int((labels[1:] != -100).sum())
    return sum(sums) / sum(counts), sum(s / c for s, c in zip(sums, counts)) / len(sums)


def record(recorder: Recorder, accumulation: int, averages_tokens: bool) -> dict:
    """A run's entry in the fixture, once its loss has been computed again."""
    step = [micro_batch_rows(batch) for batch in recorder.first_step(accumulation)]
    dataset = [row["input_ids"] for row in recorder.dataset]
    dataset = [ids.tolist() if isinstance(ids, torch.Tensor) else list(ids) for ids in dataset]
    over_tokens, over_batches = losses(step)
    logged = recorder.first_loss()
    expected = over_tokens if averages_tokens else over_batches
    assert abs(logged - expected) < 2e-6, f"logged {logged}, computed again {expected}"
    unpadded = {tuple(ids): index for index, ids in reversed(list(enumerate(dataset)))}
    indices = []
    for rows in step:
        for row in rows:
            whole = next((i for ids, i in unpadded.items() if list(ids[:len(row["tokens"])]) == row["tokens"]), None)
            assert whole is not None, "a row of the first step is not in the dataset"
            indices.append(whole)
    return {
        "loss": logged,
        "lossOverTokens": over_tokens,
        "lossOverMicroBatches": over_batches,
        "datasetRows": len(dataset),
        "rowsOfStep": indices,
        "microBatches": [{"tokens": [r["tokens"] for r in rows], "labels": [r["labels"] for r in rows]} for rows in step],
    }


def olive_flags(file: str, flags: list[str]) -> list[str]:
    """What stands behind `olive`, from the fixtures' folder."""
    return ["finetune", "-m", "tiny-llama", "-d", "json", "--data_files", file, *COMMON, *flags]


def run_olive(file: str, flags: list[str], extra: dict) -> tuple[dict, dict]:
    """Runs Olive's own program once, recording what its trainer logs; and the settings of the adapter that it writes."""
    recorder = Recorder()
    collate, get_datasets = LoRA.collate_batch, LoRA.get_datasets

    def recording_collate(batch, tokenizer):
        recorder.batches.append(collate(batch, tokenizer))
        return recorder.batches[-1]

    def recording_datasets(config):
        found = get_datasets(config)
        recorder.dataset = found[0]
        return found

    accumulation = int(flags[flags.index("--gradient_accumulation_steps") + 1])
    LoRA.collate_batch, LoRA.get_datasets = staticmethod(recording_collate), staticmethod(recording_datasets)
    trainer.DEFAULT_CALLBACKS.append(recorder)
    try:
        with tempfile.TemporaryDirectory() as temporary, chdir(temporary):
            for name in ("tiny-llama", file):
                Path(name).symlink_to(FIXTURES / name)
            arguments = [*olive_flags(file, flags), "--use_cpu", "true", "-o", "out", "--disable_telemetry"]
            if extra:
                olive([*arguments, "--save_config_file", "--dry_run"])
                config = json.loads(next(Path("out").rglob("config.json")).read_text(encoding="utf-8"))
                config["data_configs"][0]["pre_process_data_config"] |= extra
                olive_run(config)
            else:
                olive(arguments)
            settings = json.loads(next(Path("out").rglob("adapter_config.json")).read_text(encoding="utf-8"))
    finally:
        LoRA.collate_batch, LoRA.get_datasets = staticmethod(collate), staticmethod(get_datasets)
        trainer.DEFAULT_CALLBACKS.remove(recorder)
    # Olive 0.13 tells the trainer that the model takes no loss arguments: micro-batches are averaged, whatever their tokens.
    return record(recorder, accumulation, averages_tokens=False), settings


def run_trl(file: str, batch: int, accumulation: int, options: dict) -> dict:
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as temporary:
        sft = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32),
            processing_class=AutoTokenizer.from_pretrained(MODEL),
            args=SFTConfig(
                output_dir=temporary, max_steps=1, logging_steps=1, learning_rate=1e-6, per_device_train_batch_size=batch,
                gradient_accumulation_steps=accumulation, train_sampling_strategy="sequential", bf16=False, use_cpu=True, report_to="none",
                save_strategy="no", disable_tqdm=True, **{"completion_only_loss": True, **options},
            ),
            train_dataset=datasets.Dataset.from_list(FILES[file]),
            peft_config=LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"),
            callbacks=[recorder],
        )
        sft.remove_callback(PrinterCallback)
        collate = sft.data_collator

        def recording_collate(rows):
            recorder.batches.append(dict(collate(rows)))
            return collate(rows)

        sft.data_collator = recording_collate
        recorder.dataset = sft.train_dataset
        sft.train()
    return record(recorder, accumulation, averages_tokens=True)


def summary(program: str, name: str, result: dict) -> str:
    rows = f"rows {result['rowsOfStep']} of {result['datasetRows']}"
    both = f"over tokens {result['lossOverTokens']:.6f}, over micro-batches {result['lossOverMicroBatches']:.6f}"
    return f"{program}, {name}: {result['loss']:.6f}, {rows}; {both}"


def main() -> None:
    make_model()
    write_rows()
    torch.set_num_threads(1)
    olive_runs, defaults = [], {}
    with tempfile.TemporaryDirectory() as cache:
        datasets.config.HF_DATASETS_CACHE = os.environ["HF_DATASETS_CACHE"] = cache
        for name, file, flags, extra in OLIVE_RUNS:
            result, settings = run_olive(file, flags, extra)
            defaults = {key: settings[key] for key in ("r", "lora_alpha", "lora_dropout", "target_modules", "bias", "task_type")}
            defaults["target_modules"] = sorted(defaults["target_modules"])
            flags = olive_flags(file, flags)
            command = shlex.join(["olive", *flags, "--use_cpu", "true"])
            olive_runs.append({"name": name, "command": command, "flags": flags, "extra": extra, **result})
            print(summary("olive", name, result))
        trl_runs = []
        for name, file, batch, accumulation, options in TRL_RUNS:
            result = run_trl(file, batch, accumulation, options)
            options = {"completion_only_loss": True, "batch": batch, "accumulation": accumulation, **options}
            trl_runs.append({"name": name, "file": file, "options": options, **result})
            print(summary("trl", name, result))
    write_json(FIXTURES / "first-loss.json", {
        "writtenBy": "reference/olive_first_loss.py",
        "versions": versions("torch", "transformers", "peft", "trl", "olive-ai", "datasets", "tokenizers"),
        "bound": 1e-4,
        "oliveAdapterDefaults": defaults,
        "olive": olive_runs,
        "trl": trl_runs,
    })


if __name__ == "__main__":
    main()
