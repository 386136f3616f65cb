"""Writes the fixtures of data and recipe: a tiny tokenizer, what Olive's and TRL's own data paths make with it, and Olive's defaults.

Olive's runs are asked for by the flags of `olive finetune`, up to the dataset that its trainer is given; nothing is trained.
"""

import csv
import json
import os
import tempfile
from argparse import ArgumentParser
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OLIVE_DISABLE_TELEMETRY"] = "1"

import datasets
from olive.cli.finetune import FineTuneCommand
from olive.common.hf.mappings import MODELS_TO_LORA_TARGET_MODULES_MAPPING
from olive.data.component.text_generation import TextGenParams, get_text
from olive.passes.pytorch.lora import HFTrainingArguments, LoRA
from olive.passes.pytorch.train_utils import get_training_dataset
from olive.workflows.run.config import RunConfig
from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Trainer, TrainingArguments
from trl import SFTConfig, SFTTrainer

from fixture_files import REPOSITORY, versions, write_json

FIXTURES = REPOSITORY / "src/data/fixtures"
RECIPE_FIXTURE = REPOSITORY / "src/recipe/fixtures/olive-defaults.json"
MODEL_TYPES = ("gemma", "gemma2", "gemma3_text", "gpt2", "llama", "mistral", "phi", "phi3", "qwen2", "qwen3")
VOCABULARY = 500
SPECIAL = ["<pad>", "<s>", "</s>", "<|turn|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|turn|>' + message['role'] + '\n' + message['content'] | trim + '</s>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn|>assistant\n' }}{% endif %}"
)

ROWS = [
    {"input": "Two green teapots to Lisbon by Friday, please.", "output": '{"item": "teapot", "qty": 2}', "qty": 2, "price": 12.5},
    {"input": "I never got my order, where is it?", "output": "status", "qty": 0, "price": 3},
    {"input": "", "output": "An empty message gets no ticket.", "qty": 1, "price": 0.00001},
    {"input": "三个红色的碗, 寄到上海 🍵", "output": "bowl x 3 → Shanghai", "qty": 3, "price": 1e20},
    {"input": "Can I send back the blue lamp?\nIt flickers.", "output": " Return: lamp ", "qty": 1, "price": 100},
    {"input": "def f(x):\n    return {'x': x}", "output": "code, not an order </s> {braces}", "qty": None, "price": -2.5},
]
TEXTS = [f"{row['input']} {row['output']}" for row in ROWS] + [
    "The quick brown fox orders seven plates, a kettle and two cups of tea.",
    "Please cancel the order from Monday and refund the price of the lamp.",
    "user assistant system question answer input output text prompt completion",
]

# Flags of `olive finetune`, without the model and the data, and what its flags cannot say: keys of TextGenParams.
OLIVE_CASES = [
    ("template", ["--text_template", "### {input}\\n=> {output}", "--max_seq_len", "16"], {}),
    ("template, braces, numbers and null", ["--text_template", "{{{qty}}} at {price}: {input}", "--max_seq_len", "13"], {}),
    ("template, max_samples", ["--text_template", "{input}{output}", "--max_seq_len", "8", "--max_samples", "3"], {}),
    ("template, special tokens", ["--text_template", "{input} {output}", "--max_seq_len", "16", "--add_special_tokens", "1"], {}),
    ("field, all tokens but one in a block", ["--text_field", "output", "--max_seq_len", "ALL_BUT_ONE"], {}),
    ("field, rows read two at a time", ["--text_field", "output", "--max_seq_len", "10"], {"processing_batch_size": 2}),
    ("field", ["--text_field", "output", "--max_seq_len", "10"], {}),
    ("field, an empty row", ["--text_field", "input", "--max_seq_len", "10"], {}),
    ("field, no joiner", ["--text_field", "output", "--max_seq_len", "7"], {"joiner": ""}),
    ("chat", ["--use_chat_template", "--max_seq_len", "12"], {}),
    ("template, line by line", ["--text_template", "{input} => {output}", "--max_seq_len", "24"], {"strategy": "line-by-line"}),
    (
        "field, line by line, max_samples",
        ["--text_field", "input", "--max_seq_len", "9", "--max_samples", "4"],
        {"strategy": "line-by-line"},
    ),
]

VALUES = [
    {"whole": 1, "mixed": 1.5, "day": "2024-05-01", "text": None, "list": ["x", "it's \"q\""], "object": {"k": 1, "z": None}, "yes": True},
    {"whole": 2, "mixed": 2, "day": "2024-06-01T10:30+02:00", "text": "x", "list": ["y\n\u200b\\"], "object": {"k": "o'k"}, "yes": False},
    {"whole": 3, "mixed": 1e-7, "day": None, "text": "", "list": [], "object": {"k": 123456789.125}, "yes": None, "late": "z"},
    {"whole": -4, "mixed": 1.5e16, "day": "0999-12-31 23", "text": "2024-05-01", "list": None, "object": None, "yes": True},
    {"whole": 50, "mixed": -0.0001, "day": "2024-02-29 00:00:00", "text": "{whole}", "list": ["\x7f中"], "object": {"k": True}, "yes": True},
]
VALUE_TEMPLATE = "{whole}|{mixed}|{day}|{text}|{list}|{object}|{yes}|{late}"

CSV_CELLS = {
    "whole": ["01", "2", "-3"],
    "price": ["12.50", "40", "-0"],
    "holes": ["", "3", "4"],
    "yes": ["true", "False", "TRUE"],
    "maybe": ["true", "NA", "false"],
    "text": ["a", "n/a", "  padded  "],
    "mixed": ["1", "x", "2.50"],
    "exponent": ["1e5", "2", "3E-7"],
    "spaces": [" 3", "4 ", "+5"],
    "infinite": ["inf", "-Infinity", "1"],
    "none": ["", "NA", "null"],
    "hex": ["0x1F", "1", "2"],
    "thousands": ["1,000", "2", "3"],
    "points": [".5", "5.", "1"],
    "wide": ["123456789012345678901234567890", "1.5", "2"],
    "day": ["2024-05-01", "2024-06-01", "2024-06-02"],
}

TRL_CASES = [
    {
        "name": "text",
        "rows": [
            {"prompt": "Two green teapots", "completion": " to Lisbon"},
            {"prompt": "The price of the lamp is ", "completion": "12.5"},
            {"prompt": "Question: where is it?\nAnswer:", "completion": " status</s>"},
            {"prompt": "三个红色的碗", "completion": ", 寄到上海 🍵"},
            {"prompt": "an order", "completion": "s merge across the boundary"},
            {"prompt": "Nothing to add.", "completion": ""},
        ],
    },
    {
        "name": "text, truncated, one row left without loss",
        "max_length": 9,
        "rows": [
            {"prompt": "Two green teapots", "completion": " to Lisbon by Friday, please."},
            {"prompt": "The prompt alone fills the whole of the sequence here", "completion": " yes"},
            {"prompt": "a", "completion": " b"},
        ],
    },
    {
        "name": "messages",
        "rows": [
            {
                "prompt": [{"role": "user", "content": "Two green teapots to Lisbon "}],
                "completion": [{"role": "assistant", "content": "teapot x 2"}],
            },
            {
                "prompt": [
                    {"role": "system", "content": "Answer with a ticket."},
                    {"role": "user", "content": "where is it?"},
                    {"role": "assistant", "content": "status"},
                    {"role": "user", "content": "三个红色的碗"},
                ],
                "completion": [{"role": "assistant", "content": "bowl x 3"}],
            },
        ],
    },
    {
        "name": "all tokens",
        "completion_only_loss": False,
        "rows": [{"prompt": "Two green teapots", "completion": " to Lisbon"}],
    },
]


def train_tokenizer(folder: Path) -> None:
    """Trains the byte-level BPE tokenizer and saves it to `folder`. It puts <s> before a text when asked for special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        TEXTS * 4,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", extra_special_tokens=["<|turn|>"]
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)


def tiny_model() -> LlamaForCausalLM:
    """A model whose weights play no part: Olive and TRL want one to be there."""
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=VOCABULARY, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    )


def rows_of(case: str) -> list[dict]:
    """The rows of an Olive case: ROWS, or the same as conversations."""
    if case != "chat":
        return ROWS
    turns = [{"role": "user", "content": "input"}, {"role": "assistant", "content": "output"}]
    return [{"messages": [{"role": t["role"], "content": row[t["content"]]} for t in turns]} for row in ROWS]


def olive_dataset(model: Path, data: Path, flags: list[str], extra: dict) -> datasets.Dataset:
    """The training dataset of `olive finetune -m model -d json --data_files data flags`."""
    parser = ArgumentParser()
    FineTuneCommand.register_subcommand(parser.add_subparsers())
    args = parser.parse_args(["finetune", "-m", str(model), "-d", "json", "--data_files", str(data), "-o", str(model / "out"), *flags])
    config = FineTuneCommand(parser, args)._get_run_config(str(model))
    config["data_configs"][0]["pre_process_data_config"].update(extra)
    return get_training_dataset(RunConfig.model_validate(config).data_configs[0])


def joined_length(folder: Path) -> int:
    """Tokens of all outputs with the joiner after each."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return sum(len(tokenizer.encode(text, add_special_tokens=False)) for row in ROWS for text in (row["output"], "\n\n"))


def olive_cases(folder: Path) -> list[dict]:
    """What Olive makes of the rows, case by case."""
    cases = []
    for name, flags, extra in OLIVE_CASES:
        flags = [flag.replace("ALL_BUT_ONE", str(joined_length(folder) - 1)) for flag in flags]
        data = folder / "rows.jsonl"
        data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows_of(name)), encoding="utf-8")
        dataset = olive_dataset(folder, data, flags, extra)
        cases.append(
            {
                "name": name,
                "rows": "chat" if name == "chat" else "rows",
                "flags": flags,
                "extra": extra,
                **{column: [row[column].tolist() for row in dataset] for column in ("input_ids", "labels", "attention_mask")},
            }
        )
    return cases


def value_texts(folder: Path) -> list[str]:
    """VALUES through `datasets` and Olive's get_text."""
    data = folder / "values.jsonl"
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in VALUES), encoding="utf-8")
    loaded = datasets.load_dataset("json", data_files=[str(data)], split="train")
    return [get_text(row, template=VALUE_TEMPLATE) for row in loaded]


def csv_texts(folder: Path) -> list[str]:
    """CSV_CELLS through `datasets` and Olive's get_text."""
    data = folder / "cells.csv"
    with data.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_CELLS)
        writer.writerows(zip(*CSV_CELLS.values()))
    loaded = datasets.load_dataset("csv", data_files=[str(data)], split="train")
    return [get_text(row, template="|".join(f"{{{column}}}" for column in CSV_CELLS)) for row in loaded]


def trl_cases(folder: Path) -> list[dict]:
    """What SFTTrainer makes of its rows, without packing."""
    cases = []
    for case in TRL_CASES:
        options = {key: case[key] for key in ("max_length", "completion_only_loss") if key in case}
        trainer = SFTTrainer(
            model=tiny_model(),
            args=SFTConfig(output_dir=str(folder / "out"), bf16=False, use_cpu=True, report_to="none", **options),
            train_dataset=datasets.Dataset.from_list(case["rows"]),
            processing_class=AutoTokenizer.from_pretrained(folder),
        )
        prepared = trainer.train_dataset
        cases.append({**case, "input_ids": prepared["input_ids"][:], "labels": prepared["labels"][:]})
    return cases


def olive_defaults(folder: Path) -> dict:
    """What `olive finetune` passes on when only a model, data and an output are named, and what its trainer then uses."""
    parser = ArgumentParser()
    FineTuneCommand.register_subcommand(parser.add_subparsers())
    flags = vars(parser.parse_args(["finetune", "-m", str(folder), "-d", "json", "-o", str(folder / "out")]))
    trainer = vars(HFTrainingArguments(output_dir=str(folder / "out"), extra_args={"use_cpu": True}).create_training_args())
    text = TextGenParams().model_dump(mode="json")
    targets = {**MODELS_TO_LORA_TARGET_MODULES_MAPPING, **TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING}
    return {
        "flags": {key: flags[key] for key in ("lora_r", "lora_alpha", "target_modules", "max_seq_len", "max_samples", "add_special_tokens")},
        "pass": {"lora_dropout": LoRA._default_config(None)["lora_dropout"].default_value},
        "text": {key: text[key] for key in ("strategy", "joiner", "text_cols")},
        "trainer": {
            key: trainer[key]
            for key in (
                "train_sampling_strategy", "per_device_train_batch_size", "gradient_accumulation_steps", "max_steps", "num_train_epochs",
                "learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon",
                "max_grad_norm", "seed", "logging_steps", "save_steps",
            )
        },
        "targetModules": {name: targets[name] for name in MODEL_TYPES},
    }


def step_counts(folder: Path) -> list[dict]:
    """Steps that transformers' Trainer plans for (rows, batch, accumulation, epochs, max_steps, warmup)."""
    counts = []
    for rows, batch, accumulation, epochs, max_steps, warmup in (
        (10, 2, 1, 3.0, -1, 0),
        (11, 2, 2, 3.0, -1, 2),
        (11, 4, 3, 0.5, -1, 0.1),
        (1, 8, 4, 2.5, -1, 0.03),
        (100, 8, 1, 3.0, 7, 0.5),
        (9, 3, 2, 1.0, 100, 0.031),
    ):
        options = {
            "per_device_train_batch_size": batch,
            "gradient_accumulation_steps": accumulation,
            "num_train_epochs": epochs,
            "max_steps": max_steps,
            "warmup_steps": warmup,
        }
        args = TrainingArguments(output_dir=str(folder / "out"), use_cpu=True, report_to="none", **options)
        trainer = Trainer(model=tiny_model(), args=args, train_dataset=[{"input_ids": [0]}] * rows)
        _, steps_per_epoch, *_, total_steps = trainer.set_initial_training_values(args, trainer.get_train_dataloader())
        planned = {"stepsPerEpoch": steps_per_epoch, "totalSteps": total_steps, "warmupSteps": args.get_warmup_steps(total_steps)}
        counts.append({"rows": rows, **options, **planned})
    return counts


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["HF_DATASETS_CACHE"] = datasets.config.HF_DATASETS_CACHE = str(folder / "cache")
        train_tokenizer(folder)
        tiny_model().config.save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            write_json(FIXTURES / name, json.loads((folder / name).read_text(encoding="utf-8")))
        template = folder / "chat_template.jinja"
        (FIXTURES / template.name).write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
        write_json(
            FIXTURES / "olive.json",
            {
                "versions": versions("olive-ai", "datasets", "transformers", "tokenizers"),
                "rows": ROWS,
                "chat": rows_of("chat"),
                "cases": olive_cases(folder),
                "values": VALUES,
                "valueTemplate": VALUE_TEMPLATE,
                "valueTexts": value_texts(folder),
                "csvCells": CSV_CELLS,
                "csvTexts": csv_texts(folder),
            },
        )
        write_json(
            RECIPE_FIXTURE,
            {"versions": versions("olive-ai", "transformers", "peft"), **olive_defaults(folder), "steps": step_counts(folder)},
        )
        write_json(
            FIXTURES / "trl.json",
            {"versions": versions("trl", "datasets", "transformers", "tokenizers"), "cases": trl_cases(folder)},
        )


if __name__ == "__main__":
    main()
