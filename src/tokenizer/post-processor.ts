/** The `post_processor` of a tokenizer.json: the special tokens around one sequence. Knows no text. */
import type { JsonField } from '#tokenizer/json-field.ts';

/** Token ids that go before and after the tokens of a text. */
export interface Surround {
  prefix: number[];
  suffix: number[];
}

/**
 * Compiles a `post_processor` for single sequences. Whether a beginning-of-sequence token is added is said here and nowhere else:
 * transformers 5 ignores `add_bos_token` of tokenizer_config.json where there is a tokenizer.json.
 * @throws AppError `tokenizer/unsupported` or `tokenizer/invalid`
 */
export function compilePostProcessor(processor: JsonField, hasToken: (id: number) => boolean): Surround {
  if (processor.missing) return { prefix: [], suffix: [] };
  const known = (field: JsonField): number => {
    const id = field.id();
    if (!hasToken(id)) throw field.invalid('the id of a token');
    return id;
  };
  const type = processor.get('type').oneOf(['ByteLevel', 'TemplateProcessing', 'BertProcessing', 'RobertaProcessing', 'Sequence']);
  switch (type) {
    case 'ByteLevel':
      return { prefix: [], suffix: [] };
    case 'BertProcessing':
    case 'RobertaProcessing': {
      const idOf = (key: string): number => {
        const id = processor.get(key).items()[1];
        if (id === undefined) throw processor.get(key).invalid('a token and its id');
        return known(id);
      };
      return { prefix: [idOf('cls')], suffix: [idOf('sep')] };
    }
    case 'TemplateProcessing':
      return template(processor, known);
    case 'Sequence': {
      const around: Surround = { prefix: [], suffix: [] };
      for (const part of processor.get('processors').items()) {
        const { prefix, suffix } = compilePostProcessor(part, hasToken);
        around.prefix.unshift(...prefix);
        around.suffix.push(...suffix);
      }
      return around;
    }
  }
}

function template(processor: JsonField, known: (field: JsonField) => number): Surround {
  const around: Surround = { prefix: [], suffix: [] };
  let side = around.prefix;
  let sequences = 0;
  for (const item of processor.get('single').items()) {
    if (!item.get('Sequence').missing) {
      if (item.get('Sequence').get('id').string() !== 'A') throw item.get('Sequence').get('id').invalid('"A"');
      side = around.suffix;
      sequences++;
    } else {
      const name = item.get('SpecialToken').get('id').string();
      side.push(...processor.get('special_tokens').get(name).get('ids').items().map(known));
    }
  }
  if (sequences !== 1) throw processor.get('single').invalid('a template with the sequence "A" once');
  return around;
}
