"""Writes the tokenizer fixtures: token ids by transformers and `tokenizers` of two small vocabularies in many pipelines, and of SmolLM2.

    python reference/tokenizer_fixtures.py [SMOLLM2.gguf]

Without the GGUF all but SmolLM2's are written.
"""

import gzip
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import gguf
from fixture_files import REPOSITORY, versions
from tokenizer_strings import CODE, ENGLISH, OTHER, strings
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, LlamaConfig

FIXTURES = REPOSITORY / "src/tokenizer/fixtures"
SEED = 7
PIPELINE_STRINGS = 330
LONGEST_PIPELINE_STRING = 120

GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ["<|endoftext|>", "<s>", "</s>", "<|turn|>"]


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(pattern, behavior, invert)


def sequence(*parts):
    return pre_tokenizers.Sequence(list(parts))


def around(before: list[tuple[str, int]], after: list[tuple[str, int]]):
    single = " ".join([*(token for token, _ in before), "$A", *(token for token, _ in after)])
    return processors.TemplateProcessing(single=single, pair=f"{single} $B", special_tokens=list(dict.fromkeys(before + after)))


def train_byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = GPT2
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator((ENGLISH + OTHER + CODE) * 3, trainer)
    tokenizer.post_processor = around([("<s>", 1)], [])
    return tokenizer


def train_metaspace() -> Tokenizer:
    """A vocabulary as SentencePiece's BPE writes it: unknown, two controls, the bytes, then pieces with "▁" for a space."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    texts = (ENGLISH + OTHER + CODE) * 3
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    # The trainer breaks ties among rare characters at random: the alphabet is chosen here.
    counts = Counter("".join(texts).replace(" ", "▁"))
    alphabet = sorted(counts, key=lambda character: (-counts[character], character))[:220]
    trainer = trainers.BpeTrainer(
        vocab_size=1000, special_tokens=special, initial_alphabet=alphabet, limit_alphabet=len(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    trained = json.loads(tokenizer.to_str())
    trained["added_tokens"] = trained["added_tokens"][:3]
    trained["model"].update(byte_fallback=True, fuse_unk=True)
    return Tokenizer.from_str(json.dumps(trained))


def part(value) -> dict | None:
    """A normalizer, pre-tokenizer, ... as tokenizer.json has it."""
    return None if value is None else json.loads(value.__getstate__())


def byte_level_pipelines() -> dict[str, dict]:
    """Changes to the byte-level tokenizer.json, by name."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    added = [
        {**flags, "id": 900, "content": "<mask>", "lstrip": True, "special": True},
        {**flags, "id": 901, "content": "<r>", "rstrip": True},
        {**flags, "id": 902, "content": "the", "single_word": True},
        {**flags, "id": 903, "content": "ﬁ", "normalized": True},
        {**flags, "id": 904, "content": "<|im_end|>"},
        {**flags, "id": 905, "content": "<|im_end|><|im_end|>", "special": True},
        {**flags, "id": 906, "content": "café", "normalized": True},
        {**flags, "id": 907, "content": "  "},
        {**flags, "id": 908, "content": "<｜x｜>", "special": True},
    ]
    return {
        "gpt2": {},
        "gpt2 with a prefix space, roberta": {
            "pre_tokenizer": part(pre_tokenizers.ByteLevel(add_prefix_space=True)),
            "post_processor": part(processors.RobertaProcessing(("</s>", 2), ("<s>", 1))),
        },
        "single digits": {"pre_tokenizer": part(sequence(pre_tokenizers.Digits(individual_digits=True), GPT2))},
        "digits, a prefix space each": {
            "pre_tokenizer": part(sequence(pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.ByteLevel(add_prefix_space=True)))
        },
        "llama3": {
            "pre_tokenizer": part(sequence(split(Regex(LLAMA3)), BYTES)),
            "model": {"ignore_merges": True},
            "post_processor": part(processors.Sequence([processors.ByteLevel(trim_offsets=False), around([("<s>", 1)], [("</s>", 2)])])),
        },
        "qwen2": {
            "normalizer": part(normalizers.NFC()),
            "pre_tokenizer": part(sequence(split(Regex(QWEN2)), BYTES)),
            "post_processor": part(processors.ByteLevel(trim_offsets=False)),
        },
        "gpt4o": {"pre_tokenizer": part(sequence(split(Regex(GPT4O)), BYTES)), "post_processor": None},
        "words and runs of punctuation": {
            "pre_tokenizer": part(sequence(pre_tokenizers.WhitespaceSplit(), split(Regex(r"\p{P}"), "contiguous"), BYTES)),
            "post_processor": part(processors.BertProcessing(("</s>", 2), ("<s>", 1))),
        },
        "words by the letter": {"pre_tokenizer": part(sequence(pre_tokenizers.Whitespace(), split(Regex(r"[\p{P}_]")), BYTES))},
        "merged with the previous": {"pre_tokenizer": part(sequence(split(Regex(r"\s|\d"), "merged_with_previous"), BYTES))},
        "merged with the next": {"pre_tokenizer": part(sequence(split(Regex(r"\s|\d"), "merged_with_next"), BYTES))},
        "inverted, merged with the previous": {"pre_tokenizer": part(sequence(split(Regex(r"\w+"), "merged_with_previous", True), BYTES))},
        "removed and contiguous": {
            "pre_tokenizer": part(
                sequence(
                    split(" ", "removed"),
                    split(Regex(r"[^\w]"), "contiguous"),
                    split("a.", "isolated", True),
                    pre_tokenizers.CharDelimiterSplit("\t"),
                    BYTES,
                )
            )
        },
        "NFC, added tokens of every kind": {
            "normalizer": part(normalizers.Sequence([normalizers.NFC(), normalizers.Replace("×", "$&x")])),
            "added_tokens+": added,
        },
        "added tokens without a normalizer": {"added_tokens+": added},
    }


def metaspace_pipelines() -> dict[str, dict]:
    """Changes to the tokenizer.json with byte fallback, by name."""
    llama_decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return {
        "llama 2": {
            "normalizer": part(normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])),
            "pre_tokenizer": None,
            "decoder": part(llama_decoder),
            "post_processor": part(around([("<s>", 1)], [])),
        },
        "llama 2, prefix at the start alone": {
            "pre_tokenizer": part(pre_tokenizers.Metaspace(prepend_scheme="first", split=False)),
            "decoder": part(llama_decoder),
        },
        "metaspace that splits": {"pre_tokenizer": part(pre_tokenizers.Metaspace()), "decoder": part(decoders.Metaspace())},
        "metaspace without a prefix": {
            "pre_tokenizer": part(pre_tokenizers.Metaspace(prepend_scheme="never", split=False)),
            "decoder": part(decoders.Metaspace(prepend_scheme="never")),
        },
        "gemma": {
            "normalizer": part(normalizers.Replace(" ", "▁")),
            "pre_tokenizer": part(split(" ", "merged_with_previous")),
            "decoder": part(decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])),
        },
        "unknown tokens fused": {"model": {"byte_fallback": False}, "pre_tokenizer": part(pre_tokenizers.Metaspace()), "decoder": None},
        "unknown tokens": {"model": {"byte_fallback": False, "fuse_unk": False}, "pre_tokenizer": None, "decoder": part(decoders.Fuse())},
        "unknown characters dropped": {
            "model": {"byte_fallback": False, "unk_token": None},
            "pre_tokenizer": None,
            "decoder": part(decoders.Fuse()),
        },
    }


def patched(base: dict, patch: dict) -> dict:
    """`patch` replaces the parts it names, adds to the model's fields and to the added tokens."""
    out = {**base, **{key: value for key, value in patch.items() if key not in ("model", "added_tokens+")}}
    out["model"] = {**base["model"], **patch.get("model", {})}
    out["added_tokens"] = base["added_tokens"] + patch.get("added_tokens+", [])
    return out


def pipeline_case(name: str, vocabulary: str, base: dict, patch: dict, texts: list[str]) -> dict:
    """Ids of every text, and what they decode to where that is not the text itself."""
    tokenizer = Tokenizer.from_str(json.dumps(patched(base, patch)))
    ids = [tokenizer.encode(text).ids for text in texts]
    bare = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    prefix, suffix = surround(ids[0], bare[0])
    assert all(full == prefix + inner + suffix for full, inner in zip(ids, bare))
    decoded = {i: tokenizer.decode(row, skip_special_tokens=False) for i, row in enumerate(ids)}
    skipped = {i: tokenizer.decode(row, skip_special_tokens=True) for i, row in enumerate(ids)}
    return {
        "name": name,
        "vocabulary": vocabulary,
        "patch": patch,
        "ids": ids,
        "surround": [prefix, suffix],
        "decoded": {i: text for i, text in decoded.items() if text != texts[i]},
        "skipped": {i: text for i, text in skipped.items() if text != texts[i]},
    }


def surround(ids: list[int], bare: list[int]) -> tuple[list[int], list[int]]:
    """The special tokens around the empty text, told apart as before and after it."""
    assert bare == []
    return [i for i in ids if i == 1], [i for i in ids if i != 1]


def write_gguf(path: Path, model: str, pre: str | None, tokens: list[str], types: list[int], extra: dict) -> None:
    """A GGUF with a vocabulary and the smallest Llama's settings, without tensors."""
    writer = gguf.GGUFWriter(path, extra.get("architecture", "llama"))
    writer.add_context_length(64)
    writer.add_embedding_length(8)
    writer.add_feed_forward_length(8)
    writer.add_block_count(1)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model(model)
    if pre is not None:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if "scores" in extra:
        writer.add_token_scores(extra["scores"])
    if "merges" in extra:
        writer.add_token_merges(extra["merges"])
    for name, add in (
        ("bos", writer.add_bos_token_id),
        ("eos", writer.add_eos_token_id),
        ("unk", writer.add_unk_token_id),
        ("pad", writer.add_pad_token_id),
    ):
        if name in extra:
            add(extra[name])
    if "add_bos" in extra:
        writer.add_add_bos_token(extra["add_bos"])
    if "add_space_prefix" in extra:
        writer.add_add_space_prefix(extra["add_space_prefix"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def gguf_cases(byte_level: dict, metaspace: dict, texts: list[str]) -> list[dict]:
    """The vocabularies as GGUF, read by transformers."""
    byte_tokens = [token for token, _ in sorted(byte_level["model"]["vocab"].items(), key=lambda item: item[1])]
    merges = [" ".join(merge) for merge in byte_level["model"]["merges"]]
    byte_types = [3] * len(SPECIAL) + [1] * (len(byte_tokens) - len(SPECIAL))
    byte_types[byte_tokens.index("Ġthe")] = 4
    pieces = [token for token, _ in sorted(metaspace["model"]["vocab"].items(), key=lambda item: item[1])]
    piece_types = [2, 3, 3] + [6] * 256 + [1] * (len(pieces) - 259)
    # SentencePiece's scores: 0 for what is no piece, then one less for each.
    scores = [0.0] * 259 + [float(-i) for i in range(len(pieces) - 259)]
    # transformers builds a GPT2Tokenizer, which adds an "<|endoftext|>" past a vocabulary that has none: ours has one.
    settings = {"bos": 1, "eos": 2, "pad": 0, "unk": 0}
    spm = {"scores": scores, "bos": 1, "eos": 2, "unk": 0}
    cases = []
    for name, model, pre, extra in [
        *(
            (f"gpt2, {pre}", "gpt2", pre, {**settings, "merges": merges, "add_bos": False})
            for pre in ("gpt-2", "default", "llama-bpe", "qwen2", "tekken", "gpt-4o")
        ),
        ("gpt2, a beginning token", "gpt2", "llama-bpe", {**settings, "merges": merges, "add_bos": True}),
        ("llama", "llama", "default", spm),
        ("llama, phi3", "llama", None, {**spm, "architecture": "phi3", "add_bos": False}),
        ("llama, gemma2", "llama", "default", {**spm, "architecture": "gemma2", "add_bos": True}),
    ]:
        tokens, types = (byte_tokens, byte_types) if model == "gpt2" else (pieces, piece_types)
        with tempfile.TemporaryDirectory() as folder:
            write_gguf(Path(folder) / "case.gguf", model, pre, tokens, types, extra)
            tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file="case.gguf")
        cases.append(
            {
                "name": name,
                "model": model,
                "pre": pre,
                "types": types,
                "extra": {key: value for key, value in extra.items() if key not in ("merges", "scores")},
                "ids": [tokenizer.encode(text) for text in texts],
                "specialTokens": tokenizer.special_tokens_map,
            }
        )
    return cases


def folder_case(byte_level: dict, texts: list[str]) -> dict:
    """A folder as it comes from the hub, with names in each of its files, read by AutoTokenizer."""
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    config = {
        "add_bos_token": False,
        "added_tokens_decoder": {str(i): {**flags, "content": token} for i, token in enumerate(SPECIAL)}
        | {"900": {**flags, "content": "<|later|>"}},
        "additional_special_tokens": ["<|turn|>", "in"],
        "bos_token": {"__type": "AddedToken", "content": "<s>", **flags},
        "eos_token": "</s>",
        "pad_token": "<|endoftext|>",
        "image_token": "<|turn|>",
        "unk_token": None,
        "chat_template": "overruled",
        "clean_up_tokenization_spaces": True,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    files = {
        "tokenizer_config.json": json.dumps(config),
        "special_tokens_map.json": json.dumps({"eos_token": "<|endoftext|>"}),
        "chat_template.jinja": "{{ messages[0].content }}\n",
    }
    tokenizer_json = {**byte_level, "added_tokens": [token for token in byte_level["added_tokens"] if token["content"] != "<|turn|>"]}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.json").write_text(json.dumps(tokenizer_json))
        LlamaConfig(vocab_size=901).save_pretrained(folder)
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    extra = ["a <|turn|>b<|later|> the king in</s>", "Hi . What 's this ? I do n't , ' x ' know ! We 're , I 'm , you 've"]
    ids = [tokenizer.encode(text) for text in texts + extra]
    return {
        "files": files,
        "extra": extra,
        "ids": ids,
        "decoded": [tokenizer.decode(row) for row in ids],
        "skipped": [tokenizer.decode(row, skip_special_tokens=True) for row in ids],
        "cleaned": tokenizer.clean_up_tokenization(extra[-1]),
        "specialTokens": tokenizer.special_tokens_map,
        "size": len(tokenizer),
        "chatTemplate": tokenizer.chat_template,
    }


def smollm2(path: Path, texts: list[str]) -> dict:
    """
    Ids by transformers' reading of the GGUF, and by SmolLM2's own tokenizer.json, which cuts every digit off before GPT-2's split:
    `Sequence[Digits(individual_digits), ByteLevel]`. transformers 5.24 knows no GGUF pre-tokenizer "smollm" and leaves the digits out.
    """
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    own = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    own.pre_tokenizer = sequence(pre_tokenizers.Digits(individual_digits=True), GPT2)
    ids = [own.encode(text).ids for text in texts]
    transformers_ids = [tokenizer.encode(text) for text in texts]
    decoded = [tokenizer.decode(row) for row in ids]
    skipped = [tokenizer.decode(row, skip_special_tokens=True) for row in ids]
    return {
        "versions": versions("transformers", "tokenizers", "gguf"),
        "texts": texts,
        "ids": ids,
        "transformers": {i: row for i, row in enumerate(transformers_ids) if row != ids[i]},
        "decoded": {i: text for i, text in enumerate(decoded) if text != texts[i]},
        "skipped": {i: text for i, text in enumerate(skipped) if text != texts[i]},
        "specialTokens": tokenizer.special_tokens_map,
        "chatTemplate": tokenizer.chat_template,
    }


def write_gzip(path: Path, value: dict) -> None:
    """Compact JSON, gzipped without a time, so that the same values give the same bytes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode("utf-8"), 9, mtime=0))
    print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size} bytes")


def main() -> None:
    byte_level = json.loads(train_byte_level().to_str())
    metaspace = json.loads(train_metaspace().to_str())
    texts = [text for text in strings(600, SEED) if len(text) <= LONGEST_PIPELINE_STRING][:PIPELINE_STRINGS]
    cases = [pipeline_case(name, "byteLevel", byte_level, patch, texts) for name, patch in byte_level_pipelines().items()]
    cases += [pipeline_case(name, "metaspace", metaspace, patch, texts) for name, patch in metaspace_pipelines().items()]
    write_gzip(
        FIXTURES / "pipelines.json.gz",
        {
            "versions": versions("transformers", "tokenizers", "gguf"),
            "texts": texts,
            "byteLevel": byte_level,
            "metaspace": metaspace,
            "cases": cases,
            "gguf": gguf_cases(byte_level, metaspace, texts[::2]),
            "folder": folder_case(byte_level, texts[::4]),
        },
    )
    if len(sys.argv) > 1:
        write_gzip(FIXTURES / "smollm2.json.gz", smollm2(Path(sys.argv[1]), strings(1400, SEED)))


if __name__ == "__main__":
    main()
