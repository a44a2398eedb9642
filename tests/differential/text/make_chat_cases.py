# SPDX-License-Identifier: Apache-2.0
# Renders chat templates with transformers: own ones in the manner of those that models ship, and small pieces of Jinja.
"""Usage: make_chat_cases.py OUT.json

A list of {"name", "template", "messages", "generation", "bos", "eos", "text"}; "text" is null where the template refuses, or where
we do not know what it asks for.
"""
import json
import logging
import sys

from transformers.utils.chat_template_utils import render_jinja_template

LLAMA2 = """{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system = messages[0]['content'] %}\
{% else %}{% set rest = messages %}{% set system = false %}{% endif %}{% for m in rest %}\
{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must take turns: user, assistant, user ...') }}{% endif %}\
{% if loop.index0 == 0 and system != false %}{% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + m['content'] %}\
{% else %}{% set content = m['content'] %}{% endif %}\
{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}\
{% elif m['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""

LLAMA3 = """{% set loop_messages = messages %}{% for message in loop_messages %}\
{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' %}\
{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"""

LLAMA31 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message, so that it can be put in its own place. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if builtin_tools is defined or tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one call at a time") }}
        {%- endif %}
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

MISTRAL1 = """{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}\
{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}\
{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"""

MISTRAL3 = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}

{#- Do the roles take turns, tools aside? #}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("user and assistant must take turns") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}

{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}{{- tool | tojson }}{%- if not loop.last %}{{- ", " }}{%- endif %}{%- endfor %}
            {{- "][/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- elif message["role"] in ("tool", "tool_results") %}
        {{- '[TOOL_RESULTS] {"content": ' + message.content|string + '}[/TOOL_RESULTS]' }}
    {%- else %}
        {{- raise_exception("unknown role " ~ message.role) }}
    {%- endif %}
{%- endfor %}
"""

CHATML = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}\
{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

QWEN3 = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>')) %}
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
        {%- if '</think>' in content %}
            {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
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
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>
'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

ALPACA = """{%- set roles = {'user': '### 指示:', 'assistant': '### 応答:'} -%}
{% for message in messages if message.role != 'system' %}
  {% if message.role not in roles %}{% continue %}{% endif %}
  {{ roles[message.role] }}
{{ message['content'].replace('\\r\\n', '\\n').strip() }}

{% else %}
nothing
{% endfor %}
{% generation %}{% if add_generation_prompt -%}
### 応答:
{% endif %}{% endgeneration %}
"""

TEMPLATES = {"llama2": LLAMA2, "llama3": LLAMA3, "llama31": LLAMA31, "mistral1": MISTRAL1, "mistral3": MISTRAL3, "chatml": CHATML,
             "qwen3": QWEN3, "zephyr": ZEPHYR, "alpaca": ALPACA}


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


CONVERSATIONS = [
    [user("What is 3 + 4?")],
    [user("  りんごが3個あります。\n\nいくつ？  \n")],
    [user("{{ bos_token }} {% if %} </s> \\n \"quotes\" 'single' <|im_end|>")],
    [user("")],
    [{"role": "system", "content": " Be brief. "}, user("Hi"), assistant("Hello! 👋"), user("Bye\r\nnow")],
    [user("a"), assistant("<think>\nhm\n</think>\n\nb"), user("c"), assistant("<think>d</think>e")],
    [user("a"), assistant("b\n")],
    [user("a"), user("b")],
    [assistant("a")],
    [{"role": "system", "content": "alone"}],
    [{"role": "tool", "content": "42"}, user("a")],
]

# Operators, filters, methods, statements, and how tags eat blanks.
PIECES = [
    "{{ 1 + 2 * 3 - 4 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 * 3.5 }} {{ -(1 + 2) }} {{ 1.0 }} {{ 7 % -3 }}",
    "{{ 'a' ~ 1 ~ true ~ none ~ 1.5 }}", "{% set ns = namespace(a=namespace(b=1)) %}{{ ns.a.b }}",
    "{{ 1 < 2 and 'a' < 'b' or false }} {{ not 1 == 2 }} {{ not (1 and 0) }} {{ 1 != 1.0 }} {{ '1' == 1 }} {{ [1, 2] == [1, 2] }}",
    "{{ 'a' in 'abc' }} {{ 'x' not in ['a', 'b'] }} {{ 'role' in messages[0] }} {{ 1 in [1.0] }} {{ 'a' in ('a', 'b') }} {{ 'a' in nothing }}",
    "{{ 'a' if false }}{{ 'b' if 1 else 'c' }}{{ 'd' if 0 else 'e' if 1 else 'f' }}",
    "{{ 'abc'[0] }}{{ 'abc'[-1] }}{{ 'こんにちは'[1:3] }}{{ 'abc'[::-1] }}{{ 'abcdef'[1:5:2] }}{{ 'abc'[:-1] }}{{ 'abc'[5:] }}{{ [1,2,3][-2:] | join('-') }}",
    "{{ messages[9] is defined }} {{ messages[0].nothing is defined }} {{ messages[0]['content'] is string }} {{ messages | length }} {{ messages[-1].role }}",
    "{{ nothing }}|{{ nothing | default('d') }}|{{ '' | default('d') }}|{{ '' | default('d', true) }}|{{ none | default('d', boolean=true) }}|{{ nothing|length }}",
    "{{ nothing.more }}", "{{ nothing + 'a' }}", "{{ 'a' + 1 }}", "{{ 1 + none }}", "{{ none.x is defined }}", "{{ messages.role is defined }}", "{{ 'a' < 1 }}",
    "{{ none | length }}", "{{ 5 | length }}", "{{ nothing() }}", "{{ 'a'.nothing() }}", "{{ 1 // 0 }}", "{% for x in none %}{% endfor %}", "{% for x in 5 %}{% endfor %}",
    "{% if %}{% endif %}", "{{ 'a' }", "{% for a in messages %}", "{{ 1 1 }}", "{% unknown %}", "{{ a b }}", "{{ ) }}", "{% endif %}", "{{ 'a }}", "{# open", "{{ | trim }}",
    "{{ ' a b ' | trim }}|{{ ' a b '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xyaxy'.lstrip('yx') }}|{{ 'a\n\n'.rstrip('\n') }}|{{ '\u3000a\u00a0'.strip() }}|{{ 'xax' | trim('x') }}",
    "{{ 'aBc'.upper() }}{{ 'aBc' | lower }}{{ 'abc' | upper }}{{ 'ÄÖ'.lower() }}",
    "{{ 'a,b,,c'.split(',') | join('|') }} {{ ' a  b\n c '.split() | join('|') }} {{ 'a--b--c'.split('--')[-1] }} {{ ''.split(',') | length }} {{ ''.split() | length }}",
    "{{ 'a.b.c'.split('.', 1) | join('|') }} {{ 'a b  c d'.split(none, 2) | join('|') }} {{ 'abcabc'.replace('b', 'x', 1) }} {{ 'abcabc' | replace('b', 'x', 1) }}",
    "{{ 'abcabc'.replace('b', 'xx') }} {{ 'abc' | replace('c', '') }} {{ 'abc'.startswith('ab') }} {{ 'abc'.endswith('ab') }} {{ 'aaa'.replace('aa', 'b') }} {{ 'ab'.replace('', '-') }}",
    "{{ '12' | int + 1 }} {{ 'x' | int }} {{ '12abc' | int }} {{ '3.9' | int }} {{ 3.9 | int }} {{ -3.9 | int }} {{ ' 7 ' | int }} {{ 'x' | int(5) }} {{ true | int }} {{ none | int }}",
    "{{ 5 | string + 'a' }} {{ [1, 'a', none, true, 2.5] | tojson }} {{ {'a': {'b': []}} | tojson }} {{ 'あ\"\\n' | tojson }} {{ messages | tojson(indent=2) }} {{ {} | tojson(indent=2) }}",
    "{{ [1, 2, 3] | first }} {{ [1, 2, 3] | last }} {{ 'abc' | first }} {{ [] | first is defined }} {{ 'abc' | list | join(' ') }} {{ ['a', 'b'] | join }} {{ [3] | join(', ') }}",
    "{{ range(3) | list | tojson }} {{ range(1, 7, 2) | join(',') }} {{ range(3, 0, -1) | join(',') }} {{ range(0) | length }}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{% for k in {'x': 1} %}{{ k }}{% endfor %}{{ {'a': 1}.keys() | list | tojson }}",
    "{{ {'a': 1}['a'] }} {{ {'a': 1}.a }} {{ {'a': 1}.get('b', 7) }} {{ {'a': 1}.get('b') }} {{ dict(a=1).a }} {{ {'a': 1} | items | list | tojson }} {{ {'a': 1}.values() | list | tojson }}",
    "{% for m in messages %}{{ loop.index }}/{{ loop.length }} {{ loop.index0 }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.first }} {{ loop.last }}"
    "{% if loop.previtem is defined %} <{{ loop.previtem.role }}{% endif %}{% if loop.nextitem is defined %} >{{ loop.nextitem.role }}{% endif %}\n{% endfor %}",
    "{% for x in [1, 2, 3, 4, 5] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in [] %}a{% else %}none{% endfor %}{% for x in [1, 2, 3] if x is odd %}{{ x }}{{ loop.index }}{{ loop.length }}{% else %}none{% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}",
    "{% set ns = namespace(n=0, text='') %}{% for i in range(4) %}{% set ns.n = ns.n + i %}{% set ns.text = ns.text ~ i %}{% endfor %}{{ ns.n }}{{ ns.text }}{{ ns.other is defined }}",
    "{% set block %}a{{ 1 + 1 }}\nb{% endset %}[{{ block }}]{{ block | length }}",
    "{% for i in [1, 2] %}{% for j in [3, 4] %}{{ i }}{{ j }}{{ loop.index }} {% endfor %}{{ loop.index }}{% endfor %}",
    "a\n{% if true %}\nb\n{% endif %}\nc\n", "a  \n  {% if true %}  \n  b  \n  {% endif %}  \n  c\n", "a\n  {%- if true -%}\n  b\n  {%- endif -%}\n  c\n\n",
    "a\n  {%+ if true %}\n  b\n  {% endif +%}\n  c", "  {{ 1 }}  \n  {{- 2 -}}  \n  {{ 3 }}\n", "a {# note #}\nb\n  {# note #}\nc\n  {#- note -#}  \nd", "x{% if 1 %}{% endif %}\n\ny",
    "\n\n{% set a = 1 %}\n\n{{ a }}\n\n", "{% if true %}\r\na\r\n{% endif %}\r\nb\r\n", "\t{% if true %}\t\n\ta{% endif %}", "{{ '{{' }} {{ '%}' }} {{ \"}}\" }} {{ {'a': {'b': 1}}['a']['b'] }} { { % } }",
    "{{ 'a' 'b' }} {{ \"it's\" }} {{ 'tab\\there\\\\n \\x41\\u3042 \\q' }} {{ 'line\nbreak' }}",
    "{{ 1 is defined }} {{ nothing is undefined }} {{ none is none }} {{ 1 is number }} {{ 'a' is number }} {{ true is boolean }} {{ 1 is integer }} {{ true is integer }} {{ 1.5 is float }} {{ {} is mapping }}"
    " {{ 'a' is iterable }} {{ 'a' is sequence }} {{ 1 is iterable }} {{ 2 is even }} {{ 3 is even }} {{ true is true }} {{ 1 is true }} {{ false is false }} {{ 'a' is eq('a') }} {{ 'a' is equalto 'a' }}"
    " {{ 6 is divisibleby 3 }} {{ 'a' is in ['a'] }} {{ 'b' is not in 'abc' }} {{ 1 is ne 2 }} {{ 2 is gt 1 }} {{ 1 is lt(2) }} {{ 1 is not none and 1 is not string }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages | selectattr('role', '==', 'user') | map(attribute='content') | join(',') }}"
    " {{ messages | rejectattr('role', 'eq', 'user') | map(attribute='role') | list | tojson }} {{ messages | selectattr('name') | list | length }} {{ messages | rejectattr('name', 'defined') | list | length }}",
    "{{ [' a ', 'b '] | map('trim') | join('|') }} {{ [1, 2, 3] | select('odd') | list | tojson }} {{ ['', 'a'] | select | list | tojson }} {{ [1, 2] | reject('eq', 1) | list | tojson }}",
    "{{ [1] | select('nothing') | list }}", "{{ [3, 1] | nothing }}",
    "{{ 'abc' | length }} {{ 'あい' | count }} {{ {'a': 1} | length }} {{ [1, [2, 3]] | tojson }} {{ ([1] + [2]) | tojson }} {{ 'x' | safe }} {{ true and 'yes' }} {{ '' or 'no' }} {{ (1, 2) | length }}",
    "{{ raise_exception('no') }}", "{% if false %}{{ raise_exception('no') }}{% endif %}fine", "{{ bos_token }}{{ eos_token }}{{ add_generation_prompt }}{{ tools is none }}{{ documents is defined }}",
    "{{ 'a' | trim | upper ~ 'b' }} {{ -1 | string }} {{ 1 if messages is defined else 2 }} {{ not messages }} {{ [] or 'e' }} {{ [not true, 1 == 1] | tojson }}",
    "{{ nothing is defined and nothing.x }}|{{ (nothing or {}).x is defined }}|{{ messages[0].get('tool_calls') is none }}|{{ messages[0].content[:3] }}|{{ messages[0]['content'][-1:] }}",
]

# What we refuse although transformers does not: an error, never another text.
REFUSED = [
    "{%- macro greet(name, mark='!') -%}Hi {{ name }}{{ mark }}{%- endmacro -%}{{ greet('a') }}", "{{ messages | map('upper') | list }}", "{{ [1] }}", "{{ {} }}",
    "{{ 1 < 2 < 3 }}", "{{ 2 ** 3 }}", "{{ 'title case'.title() }}", "{{ 'aBC'.capitalize() }}", "{{ 'a b'.count(' ') }}", "{{ [2, 1] | sort | join }}", "{{ 1.5 | round }}",
    "{{ -3 | abs }}", "{{ '-'.join(['a', 'b']) }}", "{{ ['a', 'b'] | reverse | list | join }}", "{{ 'äÖß' | upper }}", "{{ 'ΑΣ'.lower() }}", "{{ strftime_now('%Y') }}",
    "{{ loop_controls is defined }}{% filter upper %}a{% endfilter %}", "{% set a, b = [1, 2] %}{{ a }}", "{% for a in [1] recursive %}{{ a }}{% endfor %}",
    "{% for a in [1] %}{{ loop.cycle('x', 'y') }}{% endfor %}", "{% call f() %}{% endcall %}", "{% raw %}{{ a }}{% endraw %}", "{{ 'ab' * 3 }}",
]


def render(template, messages, generation, bos="<s>", eos="</s>"):
    try:
        return render_jinja_template([messages], chat_template=template, add_generation_prompt=generation, bos_token=bos, eos_token=eos)[0][0]
    except Exception:
        return None


def case(name, template, messages, generation):
    return {"name": name, "template": template, "messages": messages, "generation": generation, "bos": "<s>", "eos": "</s>",
            "text": render(template, messages, generation)}


def main(out):
    logging.disable(logging.WARNING)
    cases = [case(f"{name} {i}", template, messages, generation) for name, template in TEMPLATES.items()
             for i, messages in enumerate(CONVERSATIONS) for generation in (True, False)]
    cases += [case(f"piece {i}", piece, CONVERSATIONS[4], True) for i, piece in enumerate(PIECES)]
    cases += [{**case(f"refused {i}", piece, CONVERSATIONS[4], True), "text": None} for i, piece in enumerate(REFUSED)]
    with open(out, "w", encoding="utf-8") as file:
        json.dump(cases, file, ensure_ascii=False)


if __name__ == "__main__":
    main(sys.argv[1])
