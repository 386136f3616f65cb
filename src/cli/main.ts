/** The command `loratory`: hands the arguments to a command, and turns an error into a message and an exit code. */
import { AppError } from '#base/errors.ts';
import { finetune } from '#cli/finetune.ts';
import { FINETUNE_HELP } from '#cli/flags.ts';
import { EXIT_INTERRUPTED } from '#cli/train.ts';

const HELP = `loratory fine-tunes language models with LoRA on WebGPU.

  loratory finetune -m MODEL --data_files FILE ... -o FOLDER    train an adapter (loratory finetune --help)
`;

/** The exit code. */
async function main(args: string[]): Promise<number> {
  const [command, ...rest] = args;
  if (command === undefined || command === '--help' || command === '-h' || command === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  if (command !== 'finetune') {
    throw new AppError('recipe/invalid', `the command ${JSON.stringify(command)} was found, finetune was expected`, {
      found: command,
      expected: 'finetune',
    });
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(FINETUNE_HELP);
    return 0;
  }
  return (await finetune(rest)) === 'complete' ? 0 : EXIT_INTERRUPTED;
}

main(process.argv.slice(2)).then(
  // Dawn keeps the process alive; nothing is left to do.
  (code) => process.exit(code),
  (error: unknown) => {
    const isOurs = error instanceof AppError && error.code !== 'internal';
    process.stderr.write(
      `\nloratory: ${isOurs ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exit(isOurs && error.code === 'run/cancelled' ? EXIT_INTERRUPTED : 1);
  },
);
