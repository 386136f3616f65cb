"""The demo's tokenizer: byte-level BPE trained on the demo text. Knows strings and token ids, no model."""
import json
import random

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

import grammar

VOCABULARY = 2048
END, PAD = '<|endoftext|>', '<|pad|>'
# The skeleton of a record ("qty: 3, item: lamps, city: Oslo, day: Friday") in few tokens, so that a row fits in 32. Ordinary text, not
# special tokens. After a colon stands the space that a word also has in a message: a value is written with the very tokens it is read in.
RECORD_PIECES = ['qty:', ', item:', ', city:', ', day:']
# One user turn and its answer, as in the text: message, newline, reply, end of text.
CHAT_TEMPLATE = ("{% for message in messages %}{% if message['role'] == 'user' %}{{ message['content'] + '\\n' }}"
                 "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}")


def train_tokenizer(seed, rows):
    """Train on `rows` conversations without the records, which have pieces of their own."""
    source = random.Random(seed)
    pairs = (grammar.conversation(source) for _ in range(rows))
    texts = ['\n'.join(pair) for pair in pairs if not pair[0].startswith('qty:')]
    tokenizer = Tokenizer(models.BPE(byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - len(RECORD_PIECES), special_tokens=[END, PAD], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(piece, normalized=False, special=False) for piece in RECORD_PIECES])
    assert tokenizer.get_vocab_size() == VOCABULARY, tokenizer.get_vocab_size()
    return tokenizer


def save_tokenizer(tokenizer, folder):
    """Write tokenizer.json and tokenizer_config.json as transformers reads them."""
    tokenizer.save(str(folder / 'tokenizer.json'))
    config = {'tokenizer_class': 'PreTrainedTokenizerFast', 'bos_token': None, 'eos_token': END, 'pad_token': PAD, 'unk_token': None,
              'add_bos_token': False, 'add_eos_token': False, 'clean_up_tokenization_spaces': False, 'model_max_length': 256,
              'chat_template': CHAT_TEMPLATE}
    (folder / 'tokenizer_config.json').write_text(json.dumps(config, indent=2) + '\n')
