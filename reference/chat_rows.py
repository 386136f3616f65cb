"""Writes src/data/fixtures/chat-rows.json: conversations of Qwen2.5 and Qwen3 as transformers renders them, and what of them is learnt.

The templates are those that TRL carries (`trl/chat_templates`, Apache 2.0, as the models ship them). Qwen2.5's assistant texts are those that
TRL's training template marks with `{% generation %}`, less the line break that belongs to the generation prompt. For Qwen3 each turn's text
is what transformers renders past the generation prompt, with `enable_thinking=False` where the answer has no reasoning; where a turn's prompt
is no beginning of the whole conversation, each turn is a sequence of its own.
"""

import json
from pathlib import Path

import trl
from transformers.utils.chat_template_utils import render_jinja_template

from fixture_files import REPOSITORY, versions, write_json

OUT = REPOSITORY / "src/data/fixtures/chat-rows.json"
TEMPLATES = Path(trl.__file__).parent / "chat_templates"

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather of a town",
            "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
        },
    }
]
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"town": "Lisboa, já"}'}}
TOOL_CHAT = [
    {"role": "user", "content": "Weather in Lisbon?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": '{"sky": "rain"}'},
    {"role": "assistant", "content": "Rain in Lisbon."},
]
TWO_CALLS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Lisbon and Rome?"},
    {"role": "assistant", "content": "I look.", "tool_calls": [CALL, {**CALL, "id": "c2"}]},
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    {"role": "tool", "tool_call_id": "c2", "content": "sun"},
    {"role": "assistant", "content": "Rain, then sun."},
    {"role": "user", "content": "Thanks"},
    {"role": "assistant", "content": "Gladly."},
]
PLAIN = [
    {"role": "user", "content": "Two lamps"},
    {"role": "assistant", "content": "lamp x2"},
    {"role": "user", "content": "Three"},
    {"role": "assistant", "content": "lamp x3"},
]
THOUGHT = [{"role": "user", "content": "2 + 3?"}, {"role": "assistant", "content": "5", "reasoning_content": "Two and three make five."}]
INLINE = [{"role": "user", "content": "2 + 3?"}, {"role": "assistant", "content": "<think>\nTwo and three.\n</think>\n\n5"}]
CASES = [
    ("qwen2.5, turns", "qwen2_5", PLAIN, None),
    ("qwen2.5, a tool", "qwen2_5", TOOL_CHAT, TOOLS),
    ("qwen2.5, two calls and a system prompt", "qwen2_5", TWO_CALLS, TOOLS),
    ("qwen3, one turn", "qwen3", PLAIN[:2], None),
    ("qwen3, turns", "qwen3", PLAIN, None),
    ("qwen3, reasoning", "qwen3", THOUGHT, None),
    ("qwen3, reasoning in the content", "qwen3", INLINE, None),
    ("qwen3, reasoning, then none", "qwen3", THOUGHT + PLAIN[:2], None),
    ("qwen3, a tool", "qwen3", TOOL_CHAT, TOOLS),
]


def for_template(messages: list[dict]) -> list[dict]:
    """Messages as transformers wants them: arguments as objects, no content of null."""
    messages = json.loads(json.dumps(messages))
    for message in messages:
        if message.get("content", "") is None:
            message["content"] = ""
        for call in message.get("tool_calls", []):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return messages


def render(name: str, messages: list[dict], tools: list | None, **options: object) -> tuple[str, list]:
    """What `apply_chat_template(tokenize=False)` gives, and the spans of `{% generation %}` where the template has it."""
    template = (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")
    marked = "{%- generation" in template
    texts, spans = render_jinja_template(
        [for_template(messages)], tools=tools, chat_template=template, return_assistant_tokens_mask=marked, **options
    )
    return texts[0], spans[0] if marked else []


def by_generation(name: str, messages: list[dict], tools: list | None) -> list[dict]:
    """One sequence, its learnt texts as TRL's training template marks them."""
    text, _ = render(name, messages, tools)
    trained, spans = render(f"{name}_training", messages, tools)
    assert text == trained
    assert all(text[start] == "\n" for start, _ in spans)
    return [{"text": text, "learnt": [text[start + 1 : end] for start, end in spans]}]


def by_prefix(name: str, messages: list[dict], tools: list | None) -> list[dict]:
    """One sequence, or one a turn, by rendering what comes before each turn."""
    turns, fits = [], True
    whole, _ = render(name, messages, tools)
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        thinks = "reasoning_content" in message or "</think>" in (message["content"] or "")
        options = {} if thinks else {"enable_thinking": False}
        prompt, _ = render(name, messages[:i], tools, add_generation_prompt=True, **options)
        through, _ = render(name, messages[: i + 1], tools, **options)
        assert through.startswith(prompt), (name, i)
        fits = fits and whole.startswith(prompt) and whole.startswith(through)
        turns.append({"text": through, "learnt": [through[len(prompt) :]]})
    return [{"text": whole, "learnt": [text for turn in turns for text in turn["learnt"]]}] if fits else turns


def main() -> None:
    cases = []
    for name, template, messages, tools in CASES:
        make = by_generation if template == "qwen2_5" else by_prefix
        cases.append({"name": name, "template": template, "messages": messages, "tools": tools, "sequences": make(template, messages, tools)})
    templates = {name: (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8") for name in ("qwen2_5", "qwen3")}
    write_json(OUT, {"versions": versions("transformers", "trl"), "templates": templates, "cases": cases})


if __name__ == "__main__":
    main()
