"""Writes the demo dataset: a shop's messages and the order ticket that each becomes.

    python reference/demo/dataset.py --model public/demo --out public/demo

train.jsonl and heldout.jsonl have one {"message", "ticket"} a line. No item and no city of a held-out row is in a training row, and a
sixth of the held-out rows ask for an item or a city that is not in the pretraining text either. No quantity divisible by 7 is in a
training row; half of the held-out rows have one.
"""
import argparse
import json
import pathlib
import random

from tokenizers import Tokenizer

import grammar
import words

SEED, TRAIN_ROWS, HELDOUT_ROWS, LONGEST = 20_261_124, 1_200, 60, 32
HELDOUT_SEED = 20_261_125  # of its own, so that held-out rows can be drawn afresh and the training rows stay as they are
HELDOUT_WORDS = 40  # items, and cities, of the pretraining lists that are kept for the held-out rows


def as_ticket(slots):
    return grammar.record_line({'qty': slots['n'], 'item': slots['items'], 'city': slots['city'], 'due': slots['day']})


def row_tokens(tokenizer, row):
    """Tokens of the row as it is trained on: message, newline, ticket, end of text."""
    return len(tokenizer.encode(row['message'] + '\n' + row['ticket']).ids) + 1


def make_row(source, items, cities, quantity_fits, frames, tokenizer):
    """One row of at most LONGEST tokens: longer draws are made again."""
    while True:
        slots = grammar.draw_slots(source) | {'items': source.choice(items), 'city': source.choice(cities)}
        if not quantity_fits(int(slots['n'])):
            continue
        row = {'message': grammar.order_message(source, slots, frames), 'ticket': as_ticket(slots)}
        if row_tokens(tokenizer, row) <= LONGEST:
            return row


def build(tokenizer):
    """(train rows, held-out rows, rows of unseen phrasing). SEED also decides which words are kept for the held-out rows."""
    source = random.Random(SEED)
    items, cities = words.ITEM_PLURALS[:], words.CITY_NAMES[:]
    source.shuffle(items)
    source.shuffle(cities)
    kept_items, kept_cities = items[:HELDOUT_WORDS], cities[:HELDOUT_WORDS]
    train, messages = [], set()
    while len(train) < TRAIN_ROWS:
        row = make_row(source, items[HELDOUT_WORDS:], cities[HELDOUT_WORDS:], lambda n: n % 7 != 0, grammar.ORDER_FRAMES, tokenizer)
        if row['message'] not in messages:
            messages.add(row['message'])
            train.append(row)

    source = random.Random(HELDOUT_SEED)

    def heldout(frames):
        rows = []
        for index in range(HELDOUT_ROWS):
            new_item, new_city = index % 12 == 0, index % 12 == 6
            rows.append(make_row(source, words.UNSEEN_ITEMS if new_item else kept_items, words.UNSEEN_CITIES if new_city else kept_cities,
                                 lambda n, index=index: index % 2 or n % 7 == 0, frames, tokenizer))
        source.shuffle(rows)
        return rows

    return train, heldout(grammar.ORDER_FRAMES), heldout(grammar.RESERVED_FRAMES)


def write_rows(path, rows):
    path.write_text(''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', type=pathlib.Path, required=True, help='folder with tokenizer.json')
    parser.add_argument('--out', type=pathlib.Path, required=True)
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(args.model / 'tokenizer.json'))
    train, heldout, _ = build(tokenizer)
    args.out.mkdir(parents=True, exist_ok=True)
    write_rows(args.out / 'train.jsonl', train)
    write_rows(args.out / 'heldout.jsonl', heldout)
    total = sum(row_tokens(tokenizer, row) for row in train)
    print(f'{len(train)} training rows of {total / len(train):.1f} tokens on average, {len(heldout)} held-out rows')


if __name__ == '__main__':
    main()
