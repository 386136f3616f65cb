/** How the charts are looked at, while the page is open: smoothing, axes, which one fills the place. Knows no run. */
import { createStore } from 'zustand/vanilla';
import { SMOOTHING } from '#studio/train/curve-points.ts';

export type ChartName = 'loss' | 'perplexity' | 'accuracy' | 'gradientNorm' | 'learningRate' | 'rate';

interface ChartView {
  /** Weight of the moving average, 0 to below 1. */
  smoothing: number;
  isLog: boolean;
  isClipped: boolean;
  /** The chart that is looked at alone. */
  full: ChartName | null;
}

export const chartView = createStore<ChartView>(() => ({ smoothing: SMOOTHING, isLog: false, isClipped: false, full: null }));
