/** What leaves a run's charts as a file: every step as CSV, a chart as PNG. Knows no store. */
import { AppError } from '#base/errors.ts';
import type { EvaluationMetrics } from '#protocol/trainer.ts';
import type { SeriesStep } from '#studio/train/metric-series.ts';

const COLUMNS = ['step', 'loss', 'perplexity', 'grad_norm', 'learning_rate', 'tokens_per_second', 'eval_loss', 'eval_mean_token_accuracy'];

/**
 * One line a step, ascending, in transformers' and TRL's names where they have one; a cell of what was not measured is empty, what is not
 * finite is NaN or Infinity. Losses in nats per token.
 */
export function seriesCsv(steps: readonly SeriesStep[], evaluations: readonly EvaluationMetrics[]): string {
  const measured = new Map(evaluations.map((evaluation) => [evaluation.step, evaluation]));
  const stepped = new Map(steps.map((step) => [step.step, step]));
  const all = [...new Set([...stepped.keys(), ...measured.keys()])].sort((a, b) => a - b);
  const lines = all.map((n) => {
    const [step, evaluation] = [stepped.get(n), measured.get(n)];
    const perplexity = step === undefined ? undefined : Math.exp(step.lossNats);
    const trained = [step?.lossNats, perplexity, step?.gradientNorm, step?.learningRate, step?.tokensPerSecond];
    return [n, ...trained, evaluation?.lossNats, evaluation?.accuracy].map((value) => value ?? '').join(',');
  });
  return `${[COLUMNS.join(','), ...lines].join('\n')}\n`;
}

const DRAWN_STYLES = [
  'fill',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'opacity',
  'font-size',
  'font-family',
  'font-weight',
  'text-anchor',
] as const;
/** Pixels of the picture for one of the page: sharp on paper too. */
const PIXEL_RATIO = 2;

/** The chart within `frame` as it stands there, with its colours and its background, title above it. @throws AppError `internal` */
export async function chartPng(frame: Element, title: string): Promise<Blob> {
  const svg = frame.querySelector<SVGSVGElement>('svg.recharts-surface');
  if (svg === null) throw new AppError('internal', 'a chart without a drawing was to become a picture');
  const { width, height } = svg.getBoundingClientRect();
  const copy = svg.cloneNode(true) as SVGSVGElement;
  // Outside of the page there are no custom properties: every colour is written out.
  const [drawn, copied] = [svg.querySelectorAll('*'), copy.querySelectorAll<SVGElement>('*')];
  for (const [i, element] of drawn.entries()) {
    const style = getComputedStyle(element);
    for (const name of DRAWN_STYLES) copied[i].style.setProperty(name, style.getPropertyValue(name));
  }
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('width', String(width));
  copy.setAttribute('height', String(height));
  const image = new Image(width, height);
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  const head = 28;
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * PIXEL_RATIO);
  canvas.height = Math.round((height + head) * PIXEL_RATIO);
  const context = canvas.getContext('2d');
  if (context === null) throw new AppError('internal', 'this browser gives the page no canvas to draw a picture on');
  const page = getComputedStyle(document.body);
  context.scale(PIXEL_RATIO, PIXEL_RATIO);
  context.fillStyle = page.backgroundColor;
  context.fillRect(0, 0, width, height + head);
  context.fillStyle = page.color;
  context.font = `600 14px ${page.fontFamily}`;
  context.fillText(title, 8, 18);
  context.drawImage(image, 0, head, width, height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob === null) reject(new AppError('internal', 'this browser made no picture of the chart'));
      else resolve(blob);
    }, 'image/png');
  });
}
