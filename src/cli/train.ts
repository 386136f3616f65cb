/** The training of `loratory finetune`: its progress line, its signals, and what it says of evaluations and checkpoints. */
import { AppError } from '#base/errors.ts';
import { ProgressLine, formatBytes, say } from '#cli/progress.ts';
import { endedEarly } from '#cli/resume.ts';
import { FEWEST_TO_JUDGE } from '#run/evaluation.ts';
import { type EvaluationReport, type RunOutcome, type TrainRun, trainRun } from '#run/training-run.ts';

/** What a shell expects of a program that an interrupt ended. */
export const EXIT_INTERRUPTED = 130;

export interface Trained {
  outcome: RunOutcome;
  /** Why training ended too soon, with an adapter that is still good. */
  failure: AppError | null;
  /** The step of the last checkpoint that was written; null: none was. */
  savedStep: number | null;
}

export interface TrainOptions extends Omit<TrainRun, 'hooks'> {
  /** The folder that messages name. */
  output: string;
  /** The step of the checkpoint in that folder which the run goes on from. */
  keptStep: number | null;
}

/** @throws whatever the device throws; what is saved by then is whole. */
export async function train({ output, keptStep, ...options }: TrainOptions): Promise<Trained> {
  const { run, from } = options;
  const { recipe, steps } = run.plan;
  const line = new ProgressLine('training', 'steps');
  let failure: AppError | null = null;
  let savedStep = keptStep;
  const end = (error: AppError) => {
    failure ??= error;
    run.control.stop();
  };
  const isOver = from !== null && endedEarly(from, recipe);
  if (isOver) {
    say(`the run had ended early at step ${from.step}; a greater --early_stopping_patience goes on`);
    run.control.stop();
  }
  if (
    run.validation &&
    run.validation.rowCount < FEWEST_TO_JUDGE &&
    (recipe.early_stopping_patience !== null || recipe.load_best_model_at_end)
  ) {
    say(
      `${run.validation.rowCount} rows to measure are too few to judge by (under ${FEWEST_TO_JUDGE}): no early stopping and no best checkpoint`,
    );
  }
  // The first signal ends the run after the step that runs now, with a checkpoint and the adapter written; the second ends at once.
  let isAsked = false;
  const onSignal = () => {
    if (isAsked) process.exit(EXIT_INTERRUPTED);
    isAsked = true;
    say('stopping after this step; again to stop at once');
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
        onEvaluating: evaluationProgress(),
        onEvaluation: (report) => say(evaluationText(report)),
        onSaved: ({ step, sizeBytes }) => {
          savedStep = step;
          say(`step ${step}: checkpoint of ${formatBytes(sizeBytes)} written`);
        },
        onNotSaved: (step, error) => {
          const why = error instanceof Error ? error.message : String(error);
          const kept = savedStep === null ? 'no checkpoint is kept' : `checkpoint-${savedStep} is kept`;
          const advice = savedStep === null ? '' : '; once there is room, --resume_from_checkpoint true goes on from it';
          const message = `step ${step}: the checkpoint could not be written to ${output}: ${why}; ${kept}${advice}`;
          end(new AppError(error instanceof AppError ? error.code : 'storage/failed', message, { step, file: output }, error));
        },
        onPause: (step, why) => {
          if (why !== 'not-finite') return;
          const message =
            `step ${step}: an infinite or undefined gradient was found, a finite one was expected; the adapter without that step is written. ` +
            'Try a lower --learning_rate';
          end(new AppError('train/not-finite', message, { step }));
        },
      },
    });
    return { outcome: isOver ? { ...outcome, endedBy: 'early' } : outcome, failure, savedStep };
  } catch (error) {
    // What comes after a failure is its consequence.
    throw failure ?? error;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

function evaluationText({ step, lossNats, accuracy, rows, isBest }: EvaluationReport): string {
  const best = isBest ? ', the best so far' : '';
  const perplexity = Math.exp(lossNats).toFixed(3);
  return `step ${step}: eval_loss ${lossNats.toFixed(4)}, perplexity ${perplexity}, token accuracy ${accuracy.toFixed(4)} over ${rows} sequences${best}`;
}

/** A line for each measurement, on terminals alone: elsewhere what it found is line enough. */
function evaluationProgress(): (step: number, done: number, total: number) => void {
  let line: ProgressLine | null = null;
  return (_, done, total) => {
    if (!process.stderr.isTTY) return;
    if (done === 0) line = new ProgressLine('measuring', 'sequences');
    line?.show(done, total);
  };
}
