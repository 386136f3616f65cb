/** The lines that load an adapter folder elsewhere: PEFT, Olive, llama.cpp. Pure. */

export interface Usage {
  program: 'peft' | 'olive' | 'llamaCpp';
  code: string;
}

/** @param model the base's name as it was opened: a hub id, a folder, or a GGUF file */
export function usages(model: string, folder: string): Usage[] {
  const isGguf = /\.gguf$/i.test(model);
  const [base, file] = [JSON.stringify(model), JSON.stringify(folder)];
  const from = isGguf ? `".", gguf_file=${base}` : base;
  return [
    {
      program: 'peft',
      code: [
        'from peft import PeftModel',
        'from transformers import AutoModelForCausalLM, AutoTokenizer',
        '',
        `tokenizer = AutoTokenizer.from_pretrained(${from})`,
        `base = AutoModelForCausalLM.from_pretrained(${from})`,
        `model = PeftModel.from_pretrained(base, ${file})`,
      ].join('\n'),
    },
    {
      program: 'olive',
      code: `olive convert-adapters --adapter_path ${word(folder)} --adapter_format onnx_adapter --output_path ${word(`${folder}.onnx_adapter`)}`,
    },
    {
      program: 'llamaCpp',
      code: [
        `python convert_lora_to_gguf.py --base ${isGguf ? 'BASE_FOLDER' : word(model)} --outfile ${word(`${folder}.gguf`)} ${word(folder)}`,
        `llama-cli -m ${isGguf ? word(model) : 'BASE.gguf'} --lora ${word(`${folder}.gguf`)}`,
      ].join('\n'),
    },
  ];
}

/** Of a shell: quoted where it has to be. */
function word(value: string): string {
  return /^[\w./:-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}
