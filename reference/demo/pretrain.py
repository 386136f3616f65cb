"""Pretrains the demo model: the tokenizer, then a Llama of 2 million parameters on generated shop talk, on a CPU.

    python reference/demo/pretrain.py --out public/demo          about an hour on two cores
    python reference/demo/pretrain.py --out somewhere --quick    under two minutes: everything, trained too little to be of use

The text is made while training (no row is seen twice but by chance). Loss is on every token at first; then the loss of a message's tokens
counts a tenth, since a message is mostly chance and its loss drowns the one that teaches copying. The rate falls at the end.
"""
import argparse
import datetime
import json
import math
import os
import pathlib
import random
import time

os.environ.setdefault('OMP_WAIT_POLICY', 'passive')  # threads that spin while they wait are five times slower on shared cores
import torch
import transformers
from safetensors.torch import save_file
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

import grammar
import tokens

SHAPE = {'hidden_size': 192, 'intermediate_size': 384, 'num_hidden_layers': 5, 'num_attention_heads': 6, 'num_key_value_heads': 2,
         'max_position_embeddings': 256, 'rms_norm_eps': 1e-5, 'tie_word_embeddings': True, 'initializer_range': 0.03}
STEPS, BATCH_ROWS, WARMUP, PEAK_RATE, MESSAGE_WEIGHT = 6_500, 32, 200, 1.5e-3, 0.1
FIRST_PHASE, LAST_PHASE = 0.11, 0.23  # shares of the steps: loss on every token; falling rate
POOL_BATCHES = 32  # rows of one pool are sorted by length, so that a batch has little padding
SHOWN = ('Please send 3 lamps to Oslo on Friday.', 'Lucerne needs four wardrobes by Monday.', 'Do you have chairs in Paris?')
HELDOUT_SEED, HELDOUT_ROWS = 990_001, 2_000


def rate_at(step, steps, first=0):
    """Learning rate: linear warmup from step `first`, constant, then a cosine down to a twentieth over the last phase."""
    warmup = min(1.0, (step - first + 1) / WARMUP)
    fallen = max(0.0, 1 - (steps - step) / (steps * LAST_PHASE))
    return PEAK_RATE * warmup * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * fallen)))


def make_rows(source, count, tokenizer):
    """`count` rows as (ids of message + newline, ids of reply + end of text)."""
    pairs = [grammar.conversation(source) for _ in range(count)]
    messages = tokenizer.encode_batch([message + '\n' for message, _ in pairs])
    replies = tokenizer.encode_batch([reply + tokens.END for _, reply in pairs])
    return [(message.ids, reply.ids) for message, reply in zip(messages, replies)]


def collate(rows, message_weight):
    """Right-padded ids [rows, length] and loss weights [rows, length - 1] of the tokens 1.. ; padding has weight 0."""
    length = max(len(message) + len(reply) for message, reply in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    weights = torch.zeros(len(rows), length - 1)
    for row, (message, reply) in enumerate(rows):
        end = len(message) + len(reply)
        ids[row, :end] = torch.tensor(message + reply)
        weights[row, :len(message) - 1] = message_weight
        weights[row, len(message) - 1:end - 1] = 1
    return ids, weights


def token_losses(model, ids, weights):
    """Losses [n] and weights [n] of the n tokens whose weight is not 0; the head runs on those alone."""
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    chosen = weights > 0
    logits = functional.linear(hidden[chosen], model.lm_head.weight)
    return functional.cross_entropy(logits.float(), ids[:, 1:][chosen], reduction='none'), weights[chosen]


@torch.no_grad()
def heldout_perplexity(model, tokenizer, rows=HELDOUT_ROWS):
    """Perplexity a token over rows of another seed: of replies given their messages, of messages, and of everything."""
    model.eval()
    source = random.Random(HELDOUT_SEED)
    made = sorted(make_rows(source, rows, tokenizer), key=lambda row: len(row[0]) + len(row[1]))
    sums = {'reply': [0.0, 0], 'message': [0.0, 0]}
    for start in range(0, rows, BATCH_ROWS):
        ids, weights = collate(made[start:start + BATCH_ROWS], 0.5)
        losses, kinds = token_losses(model, ids, weights)
        for name, mask in (('reply', kinds == 1), ('message', kinds == 0.5)):
            sums[name][0] += losses[mask].double().sum().item()
            sums[name][1] += int(mask.sum())
    model.train()
    sums['all'] = [sums['reply'][0] + sums['message'][0], sums['reply'][1] + sums['message'][1]]
    return {name: round(math.exp(total / count), 4) for name, (total, count) in sums.items()} | {'rows': rows, 'tokens': sums['all'][1]}


@torch.no_grad()
def answer(model, tokenizer, message, limit=40):
    """The model's greedy reply to `message`."""
    ids = tokenizer.encode(message + '\n').ids
    start, end = len(ids), tokenizer.token_to_id(tokens.END)
    while len(ids) - start < limit:
        ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
        if ids[-1] == end:
            break
    return tokenizer.decode(ids[start:])


def export(model, tokenizer, folder):
    """Write config.json, model.safetensors (f16), generation_config.json and the tokenizer's files."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().half().contiguous() for name, value in model.state_dict().items() if name != 'lm_head.weight'}
    save_file(tensors, folder / 'model.safetensors', metadata={'format': 'pt'})
    end, pad = tokenizer.token_to_id(tokens.END), tokenizer.token_to_id(tokens.PAD)
    config = {'architectures': ['LlamaForCausalLM'], 'model_type': 'llama', 'vocab_size': tokens.VOCABULARY} | SHAPE | {
        'hidden_act': 'silu', 'attention_bias': False, 'mlp_bias': False, 'attention_dropout': 0.0, 'rope_theta': 10000.0,
        'rope_scaling': None, 'head_dim': SHAPE['hidden_size'] // SHAPE['num_attention_heads'], 'bos_token_id': None, 'eos_token_id': end,
        'pad_token_id': pad, 'use_cache': True, 'torch_dtype': 'float16'}
    (folder / 'config.json').write_text(json.dumps(config, indent=2) + '\n')
    generation = {'do_sample': False, 'eos_token_id': end, 'pad_token_id': pad, 'max_new_tokens': 48}
    (folder / 'generation_config.json').write_text(json.dumps(generation, indent=2) + '\n')
    tokens.save_tokenizer(tokenizer, folder)


def train(model, tokenizer, steps, seed, folder, every, first=0):
    """The two phases; every `every` steps the model is exported, so that a run cut short leaves one. `first`: the
    steps done before, by a run that was cut short; the optimizer's state starts anew. Returns the tokens seen."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.05)
    source, pool, seen, started = random.Random(f'{seed} {first}' if first else seed), [], 0, time.time()
    running = None
    for step in range(first, steps):
        if not pool:
            rows = sorted(make_rows(source, BATCH_ROWS * POOL_BATCHES, tokenizer), key=lambda row: len(row[0]) + len(row[1]))
            pool = [rows[start:start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS)]
            source.shuffle(pool)
        ids, weights = collate(pool.pop(), 1.0 if step < steps * FIRST_PHASE else MESSAGE_WEIGHT)
        for group in optimizer.param_groups:
            group['lr'] = rate_at(step, steps, first)
        losses, kinds = token_losses(model, ids, weights)
        loss = (losses * kinds).sum() / kinds.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen += int((weights > 0).sum())
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % 200 == 0:
            print(f'step {step + 1}/{steps} loss {running:.3f} {seen / (time.time() - started):.0f} tokens/s', flush=True)
        if (step + 1) % every == 0 or step + 1 == steps:
            export(model, tokenizer, folder)
            print(heldout_perplexity(model, tokenizer, 500), flush=True)
            for message in SHOWN:
                print(' ', message, '->', answer(model, tokenizer, message), flush=True)
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=pathlib.Path, required=True)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--steps', type=int, default=STEPS)
    parser.add_argument('--resume-step', type=int, default=0, help='go on from the weights in --out, which had this many steps')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--record', type=pathlib.Path, help='JSON file whose "pretrain" is written')
    parser.add_argument('--quick', action='store_true')
    args = parser.parse_args()
    steps = 120 if args.quick else args.steps
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    tokenizer = tokens.train_tokenizer(args.seed, 4_000 if args.quick else 20_000)
    end, pad = tokenizer.token_to_id(tokens.END), tokenizer.token_to_id(tokens.PAD)
    config = LlamaConfig(vocab_size=tokens.VOCABULARY, bos_token_id=None, eos_token_id=end, pad_token_id=pad, **SHAPE)
    model = LlamaForCausalLM(config)
    if args.resume_step:
        model = LlamaForCausalLM.from_pretrained(args.out, dtype=torch.float32).train()
    started = time.time()
    seen = train(model, tokenizer, steps, args.seed, args.out, 60 if args.quick else 500, args.resume_step)
    rounded = LlamaForCausalLM.from_pretrained(args.out, dtype=torch.float32)
    result = {'parameters': sum(value.numel() for value in model.parameters()), 'seed': args.seed, 'steps': steps,
              'resumed_at': args.resume_step, 'rows': (steps - args.resume_step) * BATCH_ROWS, 'loss_tokens': seen,
              'minutes': round((time.time() - started) / 60, 1), 'heldout_perplexity': heldout_perplexity(rounded, tokenizer),
              'date': datetime.date.today().isoformat(),
              'versions': {'torch': torch.__version__, 'transformers': transformers.__version__}}
    print(json.dumps(result))
    if args.record:
        record = json.loads(args.record.read_text()) if args.record.exists() else {}
        args.record.write_text(json.dumps(record | {'pretrain': result}, indent=2) + '\n')


if __name__ == '__main__':
    main()
