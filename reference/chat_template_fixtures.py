"""Writes src/tokenizer/fixtures/chat-templates.json.gz: conversations as transformers' `apply_chat_template` renders them.

The templates have the shape of well-known ones (SmolLM2's is its own) and use what they use: tools, thinking, dates, generation tags.
"""

from datetime import datetime

import jinja2
from fixture_files import REPOSITORY, versions
from tokenizer_fixtures import write_gzip
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

OUT = REPOSITORY / "src/tokenizer/fixtures/chat-templates.json.gz"
NOW = datetime(2026, 2, 3, 4, 5, 6)

SMOLLM2 = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""

CHATML = """{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' }}
        {%- generation %}
            {{- message.content + '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

BLOCK_GENERATION = """{{ bos_token }}
{% for message in messages %}
  {% if message['role'] == 'assistant' %}
  {% generation %}
{{ message['content'] }}{{ eos_token }}
  {% endgeneration %}
  {% else %}
[{{ message['role'] | upper }}] {{ message['content'] | trim }}
  {% endif %}
{% endfor %}
"""

LLAMA3 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message goes first. -#}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
    {{- "You have access to the following functions.\\n\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}

{%- if tools_in_user_message and not tools is none %}
    {%- if messages | length != 0 %}
        {%- set first_user_message = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("Cannot put tools in the first user message when there's no first user message!") }}
    {%- endif %}
    {{- '<|start_header_id|>user<|end_header_id|>\\n\\n' -}}
    {{- "Given the following functions, answer with a JSON for a function call.\\n\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
    {{- first_user_message + "<|eot_id|>" }}
{%- endif %}

{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

QWEN = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "# Tools\\n\\nYou may call one or more functions to assist with the user query.\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\n\\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags<|im_end|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""

ALTERNATING = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""

# Every rule of the language that a template may lean on and that JavaScript tends to do otherwise.
PYTHON = """
{# a comment
over lines #}
{%- macro field(name, value='none given') -%}
<{{ name }}>{{ value }}</{{ name }}>
{%- endmacro %}
{% set ns = namespace(count=0, text='') %}
    {% for message in messages if message.role != 'system' %}
{%- set ns.count = ns.count + 1 %}
{{ loop.index }}/{{ loop.length }} {{ message.role }} {{ loop.first }} {{ loop.last }} {{ none }} {{ nothing }} {{ message.missing }}|{{ 3 // 2 }} {{ 7 / 2 }} {{ -7 // 2 }} {{ 2 ** 3 }} {{ 1.0 }}
    {% if message.content is string %}
  [{{ message.content.strip() }}][{{ message.content.lstrip() }}][{{ message.content.rstrip() }}][{{ message.content | trim }}]
  [{{ message.content.strip('\\n') }}][{{ message.content.lstrip(' x') }}][{{ message.content.rstrip('.!? ') }}][{{ message.content | trim('x') }}]
  {{ field('c', message.content | length) }} {{ field('d') }} {{ field(name='e', value=true) }}
    {% else %}
  {{ message.content | tojson }}
    {% endif %}
	{% if loop.index == 3 %}{% break %}{% endif %}
    {% if loop.index == 2 %}{% continue %}{% endif %}
after
    {%- endfor %}

{% set block %}a block {{ ns.count }}{% endset %}
{{ block ~ true ~ none ~ 1 ~ 'x' ~ nothing }}
{{ true | string }} {{ 'yes' if ns.count > 1 else 'no' }} {{ ns.count is odd }} {{ not true }} {{ nothing is defined }}
{{ messages | map(attribute='role') | join(', ') }} {{ (messages | selectattr('role', 'equalto', 'user') | list) | length }} {{ (messages | first).role }} {{ messages[-1]['role'] }}
{{ tools | tojson }}
{{ tools | tojson(indent=2) }}
{{ {'b': [1, 2.5, true, none], 'a': 'é\\n\\"q\\" <&>', 'c': {}} | tojson }} {{ {'b': 1, 'a': 'é'} | tojson(sort_keys=true, ensure_ascii=true, separators=(',', ':')) }}
{{ 'a,b,,c'.split(',') | join('-') }} {{ ' a  b '.split() | join('-') }} {{ 'aXbXc'.split('X', 1) | join('-') }} {{ 'abc'.replace('b', 'd').upper() }} {{ 'ABC' | lower }} {{ 'a b' | replace(' ', '_') }}
{% for key, value in {'x': 1, 'y': 2}.items() %}{{ key }}={{ value }}{{ ', ' if not loop.last }}{% endfor %} {{ 'a' in 'abc' }} {{ 'z' not in ['a'] }} {{ range(3) | list | length }} {{ 'abcdef'[1:4] }} {{ 'abcdef'[::-1] }}
{{ 'first\\nsecond\\n\\nthird' | indent(2) }} {{ nothing | default('fallback') }} {{ '' | default('empty', true) }} {{ strftime_now('%Y-%m-%d %H:%M:%S %B %b %A %a %y %I%p %%') }}
{%- if add_generation_prompt -%}
  prompt
{%- endif -%}
"""

TEMPLATES = {
    "smollm2": SMOLLM2,
    "chatml": CHATML,
    "generation blocks": BLOCK_GENERATION,
    "llama3": LLAMA3,
    "qwen": QWEN,
    "alternating": ALTERNATING,
    "python": PYTHON,
    "python, other line breaks": PYTHON.replace("\n", "\r\n"),
}

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": 'The weather "now" — 天气',
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 3}},
            "required": ["city"],
        },
    },
}
TOOL_CHAT = [
    {"role": "system", "content": "You help."},
    {"role": "user", "content": "Weather in Lisbon?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "type": "function",
                "function": {"name": "weather", "arguments": {"city": "Lisbon", "days": 2, "exact": True, "unit": None, "at": 1.5}},
            }
        ],
    },
    {"role": "tool", "content": '{"sky": "blue"}'},
    {"role": "assistant", "content": "Blue. 🌞", "reasoning": "The sky is blue."},
]
CONVERSATIONS = {
    "one question": [{"role": "user", "content": "Hi"}],
    "a turn": [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4"}],
    "a system message": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Name a fruit."},
        {"role": "assistant", "content": "Apple."},
        {"role": "user", "content": "Another?"},
        {"role": "assistant", "content": "Pear."},
    ],
    "spaces": [
        {"role": "user", "content": "\n\n  x indented \t\u00a0\u3000\n"},
        {"role": "assistant", "content": " \x1c\x85 y\u200b\ufeff \n\n"},
        {"role": "user", "content": "\ufeffxx z !?."},
    ],
    "scripts": [
        {"role": "user", "content": "三个红色的碗 🍵 é e\u0301 مرحبا"},
        {"role": "assistant", "content": "好的 👩🏽‍💻 <|im_end|> {{ x }} {% if %}"},
    ],
    "empty": [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}],
    "roles that do not alternate": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "thinking": [
        {"role": "user", "content": "Think."},
        {"role": "assistant", "content": "<think>\n\n  deep \n\n</think>\n\n  An answer.\n"},
        {"role": "user", "content": "More."},
        {"role": "assistant", "content": "Done.", "reasoning_content": "\n so\n"},
    ],
    "tools": TOOL_CHAT,
}
OPTIONS = [
    {},
    {"addGenerationPrompt": True},
    {"tools": [WEATHER]},
    {"addGenerationPrompt": True, "extra": {"enable_thinking": False, "tools_in_user_message": False}, "tools": [WEATHER]},
]


class FixedTime(datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def main() -> None:
    chat_template_utils.datetime = FixedTime
    backend = Tokenizer(models.BPE({"<s>": 0, "</s>": 1, "a": 2}, []))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    cases = []
    for template, source in TEMPLATES.items():
        for conversation, messages in CONVERSATIONS.items():
            for options in OPTIONS:
                case = {"template": template, "conversation": conversation, "options": options}
                try:
                    case["text"] = tokenizer.apply_chat_template(
                        messages,
                        chat_template=source,
                        tokenize=False,
                        tools=options.get("tools"),
                        add_generation_prompt=options.get("addGenerationPrompt", False),
                        **options.get("extra", {}),
                    )
                except (jinja2.exceptions.TemplateError, TypeError) as error:
                    case["error"] = str(error)
                if "{%- generation" in source or "{% generation" in source:
                    _, spans = (
                        chat_template_utils.render_jinja_template(
                            [chat_template_utils._normalize_chat_messages(messages)],
                            chat_template=source,
                            return_assistant_tokens_mask=True,
                            add_generation_prompt=options.get("addGenerationPrompt", False),
                            tools=options.get("tools"),
                            **tokenizer.special_tokens_map,
                        )
                        if "text" in case
                        else (None, [[]])
                    )
                    case["spans"] = [case["text"][start:end] for start, end in spans[0]] if "text" in case else []
                cases.append(case)
    value = {
        "versions": versions("transformers") | {"jinja2": jinja2.__version__},
        "now": NOW.isoformat(),
        "templates": TEMPLATES,
        "conversations": CONVERSATIONS,
        "cases": cases,
    }
    write_gzip(OUT, value)
    print(f"{len(cases)} cases, {sum('error' in case for case in cases)} errors")


if __name__ == "__main__":
    main()
