"""Holds the demo to its promise with PEFT on a CPU: base, tuned over three seeds, and tuned on shuffled answers, on the held-out rows.

    python reference/demo/finetune.py --demo public/demo --record reference/demo/record.json     the shipped recipe, and the record
    python reference/demo/finetune.py --demo public/demo --steps 100 --rate 5e-3 --seeds 1       another recipe, printed alone

Reads the f16 weights that are shipped, widened to f32. Loss on the ticket and the end of text alone.
"""
import argparse
import datetime
import hashlib
import json
import math
import os
import pathlib
import random
import time

os.environ.setdefault('OMP_WAIT_POLICY', 'passive')  # threads that spin while they wait are slow on shared cores
import peft
import torch
import transformers
from tokenizers import Tokenizer
from torch.nn import functional

import dataset
import tokens
import words

QUICK_STEPS = 10


def read_rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def load_base(demo):
    return transformers.LlamaForCausalLM.from_pretrained(demo, dtype=torch.float32)


def shuffled(rows, seed):
    """The same messages with the tickets of other rows: what a model can learn from the form alone."""
    tickets = [row['ticket'] for row in rows]
    random.Random(seed).shuffle(tickets)
    return [{'message': row['message'], 'ticket': ticket} for row, ticket in zip(rows, tickets)]


def train_adapter(demo, rows, recipe, seed):
    """A LoRA on all linears of the decoder, trained as `recipe` says. Returns (model, real tokens, losses by step)."""
    torch.manual_seed(seed)
    config = peft.LoraConfig(r=recipe['lora_r'], lora_alpha=recipe['lora_alpha'], lora_dropout=recipe['lora_dropout'],
                             target_modules='all-linear', task_type='CAUSAL_LM')
    model = peft.get_peft_model(load_base(demo), config)
    tokenizer = Tokenizer.from_file(str(demo / 'tokenizer.json'))
    steps, batch, rate = recipe['max_steps'], recipe['per_device_train_batch_size'], recipe['learning_rate']
    warmup = math.ceil(recipe['warmup_ratio'] * steps)
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], lr=rate,
                                  betas=(recipe['adam_beta1'], recipe['adam_beta2']), weight_decay=recipe['weight_decay'])

    def factor(step):  # transformers' get_cosine_schedule_with_warmup
        if step < warmup:
            return step / max(1, warmup)
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    source, order, seen, curve = random.Random(seed), [], 0, []
    model.train()
    for _ in range(steps):
        if len(order) < batch:
            order = list(range(len(rows)))
            source.shuffle(order)
        chosen, order = [rows[index] for index in order[:batch]], order[batch:]
        prompts = [tokenizer.encode(row['message'] + '\n').ids for row in chosen]
        answers = [tokenizer.encode(row['ticket'] + tokens.END).ids for row in chosen]
        length = max(len(prompt) + len(reply) for prompt, reply in zip(prompts, answers))
        ids = torch.zeros(batch, length, dtype=torch.long)
        labels = torch.full((batch, length), -100)
        for row, (prompt, reply) in enumerate(zip(prompts, answers)):
            ids[row, :len(prompt) + len(reply)] = torch.tensor(prompt + reply)
            labels[row, len(prompt):len(prompt) + len(reply)] = torch.tensor(reply)
            seen += len(prompt) + len(reply)
        logits = model(input_ids=ids).logits
        loss = functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe['max_grad_norm'])
        optimizer.step()
        schedule.step()
        curve.append(round(loss.item(), 4))
    return model.eval(), seen, curve


@torch.no_grad()
def greedy_answers(model, demo, messages, limit=40):
    """Greedy answers in the order of `messages`; prompts of equal length are decoded together, so that nothing is padded."""
    tokenizer = Tokenizer.from_file(str(demo / 'tokenizer.json'))
    end = tokenizer.token_to_id(tokens.END)
    prompts = [tokenizer.encode(message + '\n').ids for message in messages]
    answers = [''] * len(messages)
    for length in sorted({len(prompt) for prompt in prompts}):
        group = [index for index, prompt in enumerate(prompts) if len(prompt) == length]
        ids = torch.tensor([prompts[index] for index in group])
        done = torch.zeros(len(group), dtype=torch.bool)
        for _ in range(limit):
            following = model(input_ids=ids).logits[:, -1].argmax(-1).masked_fill(done, end)
            ids = torch.cat([ids, following[:, None]], 1)
            done |= following == end
            if done.all():
                break
        for row, index in enumerate(group):
            reply = ids[row, length:].tolist()
            answers[index] = tokenizer.decode(reply[:reply.index(end)] if end in reply else reply)
    return answers


def misses(model, demo, rows):
    """The rows whose greedy answer is not the ticket, character for character, each with its "answer"."""
    answers = greedy_answers(model, demo, [row['message'] for row in rows])
    return [{**row, 'answer': reply} for row, reply in zip(rows, answers) if reply != row['ticket']]


def exact_match(model, demo, rows):
    return percent(len(rows) - len(misses(model, demo, rows)), len(rows))


def percent(part, whole):
    return round(100 * part / whole, 1)


def has_new_word(row):
    """Whether the row's item or city is in no text that the base has seen."""
    return any(f' {word}' in row['ticket'] for word in words.UNSEEN_ITEMS + words.UNSEEN_CITIES)


def check(demo, recipe, seeds, controls, show):
    """Train and measure; returns the record's results."""
    train, heldout = read_rows(demo / 'train.jsonl'), read_rows(demo / 'heldout.jsonl')
    phrasing = dataset.build(Tokenizer.from_file(str(demo / 'tokenizer.json')))[2]
    results = {'base_exact': exact_match(load_base(demo), demo, heldout), 'seeds': []}
    for seed in range(1, seeds + 1):
        started = time.time()
        model, seen, curve = train_adapter(demo, train, recipe, seed)
        wrong, new = misses(model, demo, heldout), sum(map(has_new_word, heldout))
        row = {'seed': seed, 'exact': percent(len(heldout) - len(wrong), len(heldout)),
               'new_words_exact': percent(new - sum(map(has_new_word, wrong)), new),
               'unseen_phrasing_exact': exact_match(model, demo, phrasing), 'tokens': seen,
               'loss_first': curve[0], 'loss_last_10': round(sum(curve[-10:]) / 10, 4)}
        if controls:
            other, _, _ = train_adapter(demo, shuffled(train, seed), recipe, seed)
            row['shuffled_answers_exact'] = exact_match(other, demo, heldout)
        print(json.dumps(row), f'{time.time() - started:.0f} s', flush=True)
        for miss in wrong[:show]:
            print('   ', miss['message'], '|', miss['answer'], '| expected', miss['ticket'])
        results['seeds'].append(row)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--demo', type=pathlib.Path, required=True)
    parser.add_argument('--record', type=pathlib.Path)
    parser.add_argument('--recipe', type=pathlib.Path, help='default: recipe.json of the demo')
    parser.add_argument('--steps', type=int)
    parser.add_argument('--batch', type=int)
    parser.add_argument('--rate', type=float)
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--no-controls', action='store_true')
    parser.add_argument('--show', type=int, default=0, help='wrong answers to print for each seed')
    parser.add_argument('--quick', action='store_true', help=f'{QUICK_STEPS} steps, one seed: runs everything, shows nothing')
    args = parser.parse_args()
    recipe = json.loads((args.recipe or args.demo / 'recipe.json').read_text())
    changes = {'max_steps': QUICK_STEPS if args.quick else args.steps, 'per_device_train_batch_size': args.batch,
               'learning_rate': args.rate}
    recipe |= {name: value for name, value in changes.items() if value is not None}
    results = check(args.demo, recipe, 1 if args.quick else args.seeds, not args.no_controls, args.show)
    print(json.dumps({'base_exact': results['base_exact']}))
    if args.record:
        record = json.loads(args.record.read_text()) if args.record.exists() else {}
        digest = {name: hashlib.sha256((args.demo / name).read_bytes()).hexdigest()
                  for name in ('model.safetensors', 'tokenizer.json', 'train.jsonl', 'heldout.jsonl')}
        record['finetune'] = {'date': datetime.date.today().isoformat(), 'recipe': recipe, 'sha256': digest, **results, 'versions': {
            'torch': torch.__version__, 'transformers': transformers.__version__, 'peft': peft.__version__}}
        args.record.write_text(json.dumps(record, indent=2) + '\n')


if __name__ == '__main__':
    main()
