/** The training of `loratory finetune`: its progress line, its signals, and what it says of evaluations and checkpoints. */
import { AppError } from '#base/errors.ts';
import { ProgressLine, formatBytes } from '#cli/progress.ts';
import { FEWEST_TO_JUDGE } from '#run/evaluation.ts';
import { type RunOutcome, type TrainRun, trainRun } from '#run/training-run.ts';

/** What a shell expects of a program that an interrupt ended. */
export const EXIT_INTERRUPTED = 130;

const say = (text: string) => process.stderr.write(`${text}\n`);

/** `failure`: why training ended early with an adapter that is still good. @throws whatever the device throws. */
export async function train(options: Omit<TrainRun, 'hooks'>): Promise<{ outcome: RunOutcome; failure: AppError | null }> {
  const { run } = options;
  const { recipe, steps } = run.plan;
  const line = new ProgressLine('training', 'steps');
  let failure: AppError | null = null;
  if (
    run.validation &&
    run.validation.rowCount < FEWEST_TO_JUDGE &&
    (recipe.early_stopping_patience !== null || recipe.load_best_model_at_end)
  ) {
    say(
      `${run.validation.rowCount} validation rows are too few to judge by (under ${FEWEST_TO_JUDGE}): no early stopping and no best checkpoint`,
    );
  }
  // The first signal ends the run after the step that runs now, with a checkpoint and the adapter written; the second ends at once.
  const onSignal = () => {
    if (run.control.isStopped) process.exit(EXIT_INTERRUPTED);
    say('\nstopping after this step; again to stop at once');
    run.control.stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const outcome = await trainRun({
      ...options,
      hooks: {
        onStep: ({ step, realTokens, stepMs, lossNats }) => {
          const tokensPerSecond = Math.round((realTokens * 1000) / stepMs);
          line.show(step, steps.totalSteps, `loss ${lossNats.toFixed(4)}, ${tokensPerSecond} tokens/s`);
        },
        onEvaluation: ({ step, lossNats, accuracy, rows, isBest }) =>
          say(
            `\nstep ${step}: eval_loss ${lossNats.toFixed(4)}, perplexity ${Math.exp(lossNats).toFixed(3)}, ` +
              `token accuracy ${accuracy.toFixed(4)} over ${rows} sequences${isBest ? ', the best so far' : ''}`,
          ),
        onSaved: ({ step, sizeBytes }) => say(`\nstep ${step}: checkpoint of ${formatBytes(sizeBytes)} written`),
        onNotSaved: (step, error) => {
          failure = error instanceof AppError ? error : new AppError('storage/failed', `step ${step}: ${String(error)}`, { step }, error);
          run.control.stop();
        },
        onPause: (step, why) => {
          if (why !== 'not-finite') return;
          failure = new AppError(
            'train/not-finite',
            `step ${step}: an infinite or undefined gradient was found, a finite one was expected; the adapter without that step is written. ` +
              'Try a lower --learning_rate',
            { step },
          );
          run.control.stop();
        },
      },
    });
    return { outcome, failure };
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
