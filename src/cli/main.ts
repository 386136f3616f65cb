/** The command `loratory`: hands the arguments to a command, and turns an error into a message and an exit code. */
import { AppError } from '#base/errors.ts';
import { finetune } from '#cli/finetune.ts';
import { FINETUNE_HELP } from '#cli/flags.ts';

const HELP = `loratory fine-tunes language models with LoRA on WebGPU.

  loratory finetune -m MODEL --data_files FILE ... -o FOLDER    train an adapter (loratory finetune --help)
`;

async function main(args: string[]): Promise<void> {
  const [command, ...rest] = args;
  if (command === undefined || command === '--help' || command === '-h' || command === 'help') {
    process.stdout.write(HELP);
    return;
  }
  if (command !== 'finetune') {
    throw new AppError('recipe/invalid', `the command ${JSON.stringify(command)} was found, finetune was expected`, {
      found: command,
      expected: 'finetune',
    });
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(FINETUNE_HELP);
    return;
  }
  await finetune(rest);
}

main(process.argv.slice(2)).then(
  // Dawn keeps the process alive; nothing is left to do.
  () => process.exit(0),
  (error: unknown) => {
    const isOurs = error instanceof AppError && error.code !== 'internal';
    process.stderr.write(
      `\nloratory: ${isOurs ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exit(error instanceof AppError && error.code === 'run/cancelled' ? 130 : 1);
  },
);
